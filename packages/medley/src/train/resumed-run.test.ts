import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readLock } from "@medley/models";
import { expect, test } from "vitest";
import { type TrainingFolder, trainingFolder } from "../cli/training-folder.fixture.ts";
import { loadConfig } from "../config/load-config.ts";
import { trainSpace } from "./train-space.ts";
import { recordsOfFile } from "./training-records.ts";
import { spaceNamed } from "./training-space.ts";

const spaces = {
  year: { encoder: "number", field: "year", range: [1990, 2030] },
  graph: { encoder: "graphsage", field: "cites", features: ["year"], dimensions: 4 },
};

/** With the stages it went through; it is ended by the signal at `endAt`. */
async function train({ context, records, lockFile }: TrainingFolder, { resume = "", endAt = "" } = {}) {
  const { collections, lock } = await loadConfig(context.directory, undefined);
  const training = spaceNamed(collections, "papers.graph");
  const [ended, stages] = [new AbortController(), new Set<string>()];
  const trained = await trainSpace({
    ...{ ...training, lockFile, threads: 1, device: "cpu", models: { environment: {}, lock } },
    records: await recordsOfFile(records, training.collection),
    settings: resume === "" ? { epochs: 3, hidden: 8 } : {},
    ...(resume === "" ? {} : { resume }),
    signal: ended.signal,
    onRun: () => {},
    onProgress: ({ stage }) => {
      stages.add(stage);
      if (stage === endAt) ended.abort();
    },
  });
  const { id, state } = trained.run.record;
  const model = await readFile(join(trained.directory, "model.onnx"));
  const pinned = (await readLock(lockFile)).trained["papers.graph"];
  return { id, state, model, pinned, epochs: [...stages].filter((stage) => stage.startsWith("epoch")) };
}

test("checkpoints are kept while there is something to go on with, and removed once what it came to is pinned", async () => {
  const folder = await trainingFolder(spaces);
  const checkpoints = (id: string) => join(folder.context.directory, "runs", id, "checkpoints");
  const ended = await train(folder, { endAt: "epoch 2" });
  expect(ended.state).toBe("interrupted");
  expect(await readdir(checkpoints(ended.id))).toContain("last.safetensors");
  const done = await train(folder, { resume: ended.id });
  expect(done).toMatchObject({ id: ended.id, state: "done", epochs: ["epoch 2", "epoch 3"] });
  expect(existsSync(checkpoints(done.id))).toBe(false);
  expect(done.model).toEqual((await train(folder)).model);
});

test("a run that is done is resumed to its artefact without a training, and trained anew where that is gone", async () => {
  const folder = await trainingFolder(spaces);
  const done = await train(folder);
  await rm(folder.lockFile);
  const again = await train(folder, { resume: done.id });
  expect(again).toEqual({ ...done, epochs: [] });
  await rm(join(folder.context.directory, "models"), { recursive: true });
  const anew = await train(folder, { resume: done.id });
  expect(anew).toMatchObject({ state: "done", epochs: ["epoch 1", "epoch 2", "epoch 3"] });
  expect(anew.model).toEqual(done.model);
});

test("the artefact of a run that is done is not pinned where a byte of it changed", async () => {
  const folder = await trainingFolder(spaces);
  const { id } = await train(folder);
  await writeFile(join(folder.context.directory, "models", "papers.graph", id, "model.onnx"), "other");
  const before = await readFile(folder.lockFile, "utf8");
  await expect(train(folder, { resume: id })).rejects.toMatchObject({ code: "model_damaged" });
  expect(await readFile(folder.lockFile, "utf8")).toBe(before);
});
