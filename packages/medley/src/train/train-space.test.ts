import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkConfig } from "@medley/core";
import { emptyLock } from "@medley/models";
import type { TrainingProgress, TrainingRecord } from "@medley/training";
import { expect, onTestFinished, test } from "vitest";
import { type TrainSpaceOptions, trainSpace } from "./train-space.ts";
import { spaceNamed } from "./training-space.ts";

const collections = new Map(
  checkConfig({
    collections: {
      papers: {
        fields: { abstract: "text" },
        spaces: { words: { encoder: "words", field: "abstract", dimensions: 2 } },
      },
    },
  }).map((collection) => [collection.name, collection]),
);

async function* papers(): AsyncGenerator<TrainingRecord, void, void> {
  const texts = ["heat plasma", "heat plasma field", "walks graph", "walks graph node"];
  for (const [at, abstract] of texts.entries()) yield { id: `p${at}`, fields: { abstract } };
}

async function optionsOf(onProgress: (progress: TrainingProgress) => void = () => {}) {
  const directory = await mkdtemp(join(tmpdir(), "medley-train-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const controller = new AbortController();
  const options: TrainSpaceOptions = {
    ...spaceNamed(collections, "papers.words"),
    lockFile: join(directory, "medley.lock.json"),
    records: { name: "papers", read: papers, skipped: { count: 0, first: null } },
    models: { environment: {}, lock: emptyLock },
    ...{ seed: 1, settings: {}, threads: 1, device: "cpu", signal: controller.signal },
    onRun: () => {},
    onProgress,
  };
  return { directory, controller, options };
}

/** As `run.json` has it. */
async function stateIn(directory: string): Promise<string> {
  const [run] = await readdir(join(directory, "runs"));
  return JSON.parse(await readFile(join(directory, "runs", run as string, "run.json"), "utf8")).state;
}

test("a run whose artefact is pinned is done", async () => {
  const { directory, options } = await optionsOf();
  const { run, servedDifference } = await trainSpace(options);
  expect(servedDifference).toBeLessThan(1e-5);
  expect(run.record.state).toBe("done");
  expect(await stateIn(directory)).toBe("done");
});

test("a run whose artefact can't be kept has failed, however well it was trained", async () => {
  const { directory, options } = await optionsOf();
  await writeFile(join(directory, "models"), "a file where the artefacts' folder would be");
  await expect(trainSpace(options)).rejects.toThrow();
  expect(await stateIn(directory)).toBe("failed");
});

test("a run that was ended before there was anything to keep was interrupted, not failed", async () => {
  const { directory, controller, options } = await optionsOf();
  const read = async function* () {
    yield* papers();
    controller.signal.throwIfAborted();
  };
  const records = { ...options.records, read };
  const onRun = () => controller.abort();
  await expect(trainSpace({ ...options, records, onRun })).rejects.toThrow();
  expect(await stateIn(directory)).toBe("interrupted");
});
