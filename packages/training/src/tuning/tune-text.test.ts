import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openTextClassifier, openTextEncoder, readClassifier, readTextModel } from "@medley/models";
import { expect, onTestFinished, test } from "vitest";
import type { BlockSettings } from "./fit-tail.ts";
import { classes, sentences } from "./sentences.fixture.ts";
import { TextTuner } from "./text-tuner.ts";
import { finishTuning, type TuneTextOptions, tuneText } from "./tune-text.ts";
import type { TunedModel } from "./tuned-model.ts";

const options: TuneTextOptions = {
  ...{ model: "all-MiniLM-L6-v2", environment: {}, seed: 3, threads: 1 },
  ...{ classes, target: "about", train: sentences(0), validation: sentences(3) },
  settings: { blocks: 1, learningRate: 1e-4, batchRows: 12, weightDecay: 0.01, epochs: 2 },
  test: sentences(7),
  tokensMax: 24,
};

async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "medley-tuned-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  return directory;
}

async function written({ files, manifest }: TunedModel): Promise<string> {
  const directory = await temporaryFolder();
  for (const [path, bytes] of [...files, ["manifest.json", JSON.stringify(manifest)] as const]) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  return directory;
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Math.max(...Array.from(a, (value, at) => Math.abs(value - (b[at] as number))));

test("the last block is trained, and what serves is what was trained", { timeout: 120_000 }, async () => {
  const held = sentences(7);
  await using tuner = await TextTuner.open({ ...options, cacheElement: "float32" });
  const candidate = await tuner.trainBlocks(options.settings as BlockSettings);
  const tuned = await finishTuning(tuner, candidate, options);
  expect(tuned.test?.accuracy).toBeGreaterThan(0.9);
  expect(tuned.metrics["test/accuracy"]).toBe(tuned.test?.accuracy);
  expect(tuned.manifest).toMatchObject({ kind: "text", dimensions: 384, blocks: 1 });

  const model = await written(tuned);
  expect((await readTextModel(model, {})).tokensMax).toBe(24);
  await using encoder = await openTextEncoder({ model, environment: {}, threads: 1 });
  const served = (await encoder.encode(held.texts)).flatMap((result) => (result.ok ? [...result.value] : []));
  expect(farthest(served, await tuner.vectors(candidate, held.texts))).toBeLessThan(1e-5);
  expect(farthest(served, await tuner.frozen(held.texts))).toBeGreaterThan(1e-3);

  const { dimensions } = encoder;
  const classifier = await readClassifier(model, {}, { kind: "text", dimensions });
  const segments = held.texts.map((_, at) => Float32Array.from(served.slice(at * 384, (at + 1) * 384)));
  const said = segments.map((segment) => classifier?.classify(segment));
  const hits = said.map((one, at) => (one?.label === options.classes[held.labels[at] as number] ? 1 : 0));
  expect(hits).toEqual(Array.from(tuned.test?.hits ?? []));
  expect(classifier?.classify(new Float32Array(384))).toBeNull();
});

test("the same seed gives the same artefact, a frozen model its own vectors and a head", {
  timeout: 120_000,
}, async () => {
  const directory = await temporaryFolder();
  const short = { ...(options.settings as BlockSettings), epochs: 1 };
  const first = await tuneText({ ...options, cacheDirectory: directory, settings: short });
  // From the cache that the first has filled.
  const second = await tuneText({ ...options, cacheDirectory: directory, settings: short });
  for (const [path, bytes] of first.files)
    expect(Buffer.compare(bytes, second.files.get(path) as Uint8Array), path).toBe(0);
  expect(second.manifest).toEqual(first.manifest);

  const frozen = await tuneText({ ...options, cacheDirectory: directory, settings: null });
  expect(frozen.test?.accuracy).toBeGreaterThan(0.9);
  const model = await written(frozen);
  await using classifier = await openTextClassifier({ model, environment: {}, threads: 1 });
  expect(classifier.labels).toEqual(["food", "tool"]);
  const results = await classifier.classify(["a wrench from the shop", "very rice", ""]);
  expect(results.map((result) => (result.ok ? (result.value?.label ?? null) : result.failure))).toEqual([
    "tool",
    "food",
    null,
  ]);
});

test("a contrastive objective draws classes apart", { timeout: 120_000 }, async () => {
  await using tuner = await TextTuner.open(options);
  const objective = { kind: "contrastive" } as const;
  const settings = { ...(options.settings as BlockSettings), objective, learningRate: 1e-3 };
  const before = await tuner.frozen(options.validation.texts);
  const candidate = await tuner.trainBlocks(settings);
  expect(candidate.validation.accuracy).toBeGreaterThan(0.9);
  const after = await tuner.vectors(candidate, options.validation.texts);
  const between = (vectors: Float32Array) => {
    const mean = (from: number) =>
      Array.from({ length: 384 }, (_, d) => {
        let sum = 0;
        for (let row = from; row < from + 12; row += 1) sum += vectors[row * 384 + d] as number;
        return sum / 12;
      });
    const [food, tool] = [mean(0), mean(12)];
    return Math.hypot(...food.map((value, d) => value - (tool[d] as number)));
  };
  expect(between(after)).toBeGreaterThan(1.2 * between(before));
});

test("a text without a word is refused by its place", { timeout: 120_000 }, async () => {
  const train = { texts: ["bread", "  "], labels: [0, 1] };
  await expect(tuneText({ ...options, train })).rejects.toMatchObject({
    code: "training_data_invalid",
    message: "the training text 2 of 2 is a text without a word",
  });
});
