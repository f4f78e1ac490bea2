import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { bagModel } from "../bag-model.ts";
import { trainSeries } from "../series/train-series.ts";
import type { TrainedModel } from "../trained-model.ts";
import { checkServed } from "./check-served.ts";
import { writeArtefact } from "./write-artefact.ts";

const model: TrainedModel = {
  manifest: { kind: "node2vec", dimensions: 2 },
  files: new Map([
    ["model.onnx", bagModel(Float32Array.of(1, 0, 0.6, 0.8), 2)],
    ["nodes.json", new TextEncoder().encode('["a","b"]')],
  ]),
  metrics: {},
  curves: [],
};
const inputs = [
  { id: "a", edges: {} },
  { id: "new", edges: { a: 1, b: 3 } },
  { id: "lonely", edges: {} },
];

async function folder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "medley-artefact-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

test("what is written is pinned by its bytes, and served as it was trained", async () => {
  const root = await folder();
  const directory = join(root, "papers.walks", "run-1");
  const artefact = await writeArtefact({ directory, run: "run-1", model, card: "# a card" });
  expect(Object.keys(artefact.files).sort()).toEqual(["manifest.json", "model.onnx", "nodes.json"]);
  expect(await readdir(join(root, "papers.walks"))).toEqual(["run-1"]);
  expect(await readdir(directory)).toHaveLength(4);
  expect(JSON.parse(await readFile(join(directory, "manifest.json"), "utf8"))).toMatchObject({
    format: "medley-model",
    formatVersion: 1,
    kind: "node2vec",
    dimensions: 2,
    run: "run-1",
    files: { "nodes.json": { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: 9 } },
  });
  expect(await checkServed(model, inputs, { directory, space: "papers.walks", artefact })).toBeLessThan(1e-6);
  await expect(writeArtefact({ directory, run: "run-1", model, card: "" })).rejects.toMatchObject({
    code: "data_not_writable",
  });
});

test("an artefact that gives other vectors than the trained model is found out", async () => {
  const directory = join(await folder(), "run-1");
  const files = new Map(model.files).set("model.onnx", bagModel(Float32Array.of(1, 0, 0.6, 0.8001), 2));
  const artefact = await writeArtefact({ directory, run: "run-1", model: { ...model, files }, card: "" });
  await expect(
    checkServed(model, inputs, { directory, space: "papers.walks", artefact }),
  ).rejects.toMatchObject({
    code: "model_unsupported",
    message: expect.stringContaining("not served as it was trained"),
  });
});

test("a record that serving would refuse as well has no part in the comparison, one that it alone refuses has", async () => {
  const waves = (steps: number, gapTo = 0) => ({
    times: null,
    values: Array.from({ length: steps }, (_, step) => [step < gapTo ? null : Math.sin(step)]),
  });
  const options = { kind: "nlinear", dimensions: 3, seed: 1, threads: 1, lookback: 16, horizon: 4 } as const;
  const series = await trainSeries([waves(200)], options);
  const [tooShort, gappy, whole] = [waves(2), waves(16, 6), waves(16)];
  const directory = join(await folder(), "run-1");
  const artefact = await writeArtefact({ directory, run: "run-1", model: series, card: "" });
  const place = { directory, space: "meters.course", artefact };
  expect(await checkServed(series, [tooShort, gappy, whole], place)).toBeLessThan(1e-5);
  expect(await checkServed(series, [tooShort], place)).toBeNull();
  // What is trained takes the series with gaps; what would be served is told to take none.
  const strict = { ...series, manifest: { ...series.manifest, missingShareMax: 0 } };
  const other = join(await folder(), "run-2");
  const refusing = await writeArtefact({ directory: other, run: "run-2", model: strict, card: "" });
  await expect(
    checkServed(series, [whole, gappy], { directory: other, space: "meters.course", artefact: refusing }),
  ).rejects.toMatchObject({ code: "model_unsupported", message: expect.stringContaining("lacks 38 %") });
});
