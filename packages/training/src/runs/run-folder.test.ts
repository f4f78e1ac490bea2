import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compareRuns, listRuns } from "./compare-runs.ts";
import { someStart, temporaryFolder } from "./run.fixture.ts";
import { RunFolder, readRun } from "./run-folder.ts";

const nowMs = Date.parse("2026-11-24T10:00:00Z");

const text = (folder: RunFolder, path: string) => readFile(join(folder.path, path), "utf8");

test("a run's files are those of DVCLive and DVC, a step at a time", async () => {
  const folder = await RunFolder.create(join(await temporaryFolder(), "runs"), someStart, { nowMs });
  expect(folder.run.record.id).toMatch(/^2026-11-24-[0-9a-f]{8}$/);
  await folder.log(0, { "train/loss": 1, "validation/accuracy": 0.5 });
  await folder.log(1, { "train/loss": 0.5, "validation/accuracy": 0.625 });
  expect(await text(folder, "dvclive/plots/metrics/train/loss.tsv")).toBe("step\tloss\n0\t1\n1\t0.5\n");
  expect(JSON.parse(await text(folder, "dvclive/metrics.json"))).toEqual({
    ...{ train: { loss: 0.5 }, validation: { accuracy: 0.625 }, step: 1 },
  });
  expect(JSON.parse(await text(folder, "params.json"))).toEqual(someStart.parameters);
  expect((await text(folder, "dvc.yaml")).split("\n")).toEqual([
    ...["params:", "- params.json", "metrics:", "- dvclive/metrics.json"],
    ...["plots:", "- dvclive/plots/metrics:", "    x: step", ""],
  ]);
  expect(JSON.parse(await text(folder, "run.json"))).toMatchObject({ state: "running", endedAt: null });
});

test("at its end: the kept model's metrics, pictures, a card; all is read again", async () => {
  const root = await temporaryFolder();
  const folder = await RunFolder.create(root, someStart, { nowMs });
  for (const step of [0, 1, 2])
    await folder.log(step, { "train/loss": 1 / (step + 1), "validation/loss": 1 });
  await folder.finish(
    {
      state: "done",
      metrics: { "validation/loss": 0.75, "test/accuracy": 0.81 },
      curves: [
        {
          name: "validation/accuracy",
          points: [
            { step: 0, value: 0.5 },
            { step: 5, value: 0.75 },
          ],
        },
      ],
      card: { licence: "apache-2.0" },
    },
    { nowMs: nowMs + 60_000 },
  );
  const run = await readRun(root, folder.run.record.id);
  expect(run).toEqual(folder.run);
  expect(run.record).toMatchObject({ state: "done", endedAt: "2026-11-24T10:01:00.000Z" });
  expect(run.metrics).toEqual({ "train/loss": 1 / 3, "validation/loss": 0.75, "test/accuracy": 0.81 });
  expect(run.curves.map(({ name }) => name)).toEqual([
    "train/loss",
    "validation/accuracy",
    "validation/loss",
  ]);
  expect(await readdir(join(folder.path, "curves"))).toEqual(["accuracy.svg", "loss.svg"]);
  const card = await text(folder, "README.md");
  const [, head, body] = card.split("---\n");
  expect(head).toBe("license: apache-2.0\nlibrary_name: medley\ntags:\n- words\n");
  for (const words of [
    "# films.plot",
    someStart.data.sha256,
    "Split by random: 700 to train, 100 to choose settings, 200 held out",
    "| test/accuracy | 0.81 |",
    "| optimiser.learningRate | 0.001 |",
    "curves/loss.svg",
    `medley models use films.plot ${run.record.id}`,
    "Model: apache-2.0. Data: not stated.",
  ]) {
    expect(body).toContain(words);
  }
});

test("opened again it runs on: what was logged from a step on is replaced, what is after it is gone", async () => {
  const root = await temporaryFolder();
  const folder = await RunFolder.create(root, someStart);
  for (const step of [0, 1, 2, 3]) await folder.log(step, { "train/loss": 4 - step });
  await folder.finish({ state: "interrupted" });
  const again = await RunFolder.open(root, folder.run.record.id);
  expect(again.run.record).toMatchObject({ state: "running", endedAt: null });
  await again.log(2, { "train/loss": 0.25 });
  expect(await text(again, "dvclive/plots/metrics/train/loss.tsv")).toBe("step\tloss\n0\t4\n1\t3\n2\t0.25\n");
});

test("no file is ever half written: only whole ones, under their names", async () => {
  const folder = await RunFolder.create(await temporaryFolder(), someStart);
  await folder.log(0, { loss: 1 });
  const all = await readdir(folder.path, { recursive: true });
  expect(all.filter((file) => file.endsWith(".tmp"))).toEqual([]);
  await writeFile(join(folder.path, "dvclive/metrics.json.123.tmp"), "{"); // Of a process that was killed.
  const runs = await listRuns(join(folder.path, ".."));
  expect(runs.runs.map(({ record }) => record.id)).toEqual([folder.run.record.id]);
});

test("metrics that are no numbers, and names that are no paths", async () => {
  const folder = await RunFolder.create(await temporaryFolder(), someStart);
  const log = (metrics: Record<string, number>) => folder.log(0, metrics);
  await expect(log({ "train/loss": Number.NaN })).rejects.toMatchObject({ code: "training_diverged" });
  for (const name of ["../loss", "a/../b", "/a", "a//b", "", "step", "a b"]) {
    await expect(log({ [name]: 1 })).rejects.toThrow("is no name of a metric");
  }
  await log({ "a/b": 1 });
  await expect(log({ "a/b/c": 1 })).rejects.toThrow("is a metric and a group");
});

test("runs are listed newest first, of a model; a damaged one is named", async () => {
  const root = await temporaryFolder();
  expect(await listRuns(join(root, "none"))).toEqual({ runs: [], damaged: [] });
  const created: RunFolder[] = [];
  for (const [day, model] of [
    [2, "a.x"],
    [3, "a.y"],
    [1, "a.x"],
  ] as const) {
    created.push(await RunFolder.create(root, { ...someStart, model }, { nowMs: nowMs + day * 86_400_000 }));
  }
  await writeFile(join(root, "notes.md"), "not a run");
  const ids = created.map(({ run }) => run.record.id);
  const listed = async (model?: string) =>
    (await listRuns(root, model === undefined ? {} : { model })).runs.map(({ record }) => record.id);
  expect(await listed()).toEqual([ids[1], ids[0], ids[2]]);
  expect(await listed("a.x")).toEqual([ids[0], ids[2]]);
  await writeFile(join(root, ids[0] as string, "run.json"), "{");
  expect(await listRuns(root)).toMatchObject({ damaged: [ids[0]], runs: [{}, {}] });
  await expect(readRun(root, ids[0] as string)).rejects.toMatchObject({ code: "run_damaged" });
  await writeFile(join(created[1]?.path as string, "dvclive/metrics.json"), "[]");
  await expect(RunFolder.open(root, ids[1] as string)).rejects.toMatchObject({ code: "run_damaged" });
  await expect(readRun(root, "2026-01-01-00000000")).rejects.toMatchObject({ code: "not_found" });
  await expect(readRun(root, "../runs")).rejects.toMatchObject({ code: "not_found" });
});

test("two runs side by side: metrics of both, parameters that differ, whether the data are the same", async () => {
  const root = await temporaryFolder();
  const a = await RunFolder.create(root, someStart);
  const b = await RunFolder.create(root, {
    ...someStart,
    seed: 8,
    parameters: { dimensions: 128, ngrams: [1, 3], optimiser: { learningRate: 0.001 }, target: null },
  });
  await a.log(0, { "test/accuracy": 0.75, "train/loss": 1 });
  await b.log(0, { "test/accuracy": 0.875 });
  expect(compareRuns(a.run, b.run)).toEqual({
    isSameData: true,
    metrics: [
      { name: "test/accuracy", a: 0.75, b: 0.875, difference: 0.125 },
      { name: "train/loss", a: 1, b: null, difference: null },
    ],
    parameters: [
      { name: "dimensions", a: 64, b: 128 },
      { name: "ngrams", a: "[1,2]", b: "[1,3]" },
      { name: "optimiser.weightDecay", a: 0, b: undefined },
      { name: "seed", a: 7, b: 8 },
    ],
  });
  const other = await RunFolder.create(root, { ...someStart, data: { ...someStart.data, sha256: "00" } });
  expect(compareRuns(a.run, other.run).isSameData).toBe(false);
});
