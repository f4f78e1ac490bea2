import { expect, test } from "vitest";
import { type TextPair, tuneTextPairs } from "./tune-text-pairs.ts";

const animals = ["dog", "cat", "horse", "cow", "duck", "goat", "bee", "owl", "fox", "wolf", "bear", "lion"];
const codes = ["red", "tin", "oak", "sky", "salt", "rope", "coal", "lamp", "rain", "silk", "wool", "iron"];
/** A code word and what it stands for, which no model knows before: `from` chooses the sentence around it. */
const pairs = (from: number): TextPair[] =>
  animals.map((animal, at) => [
    `${["the code is", "it says"][from]} ${codes[at]}`,
    `${["a", "one more"][from]} ${animal}`,
  ]);

test("texts that belong together find each other after the training", { timeout: 120_000 }, async () => {
  const tuned = await tuneTextPairs({
    ...{ model: "all-MiniLM-L6-v2", environment: {}, seed: 2, threads: 1, tokensMax: 12 },
    ...{ train: pairs(0), validation: pairs(1) },
    settings: { blocks: 1, learningRate: 1e-3, batchRows: 24, weightDecay: 0, epochs: 12 },
  });
  const curve = tuned.curves.find(({ name }) => name === "validation/reciprocal_rank");
  const ranks = curve?.points.map(({ value }) => value) ?? [];
  expect(tuned.metrics["validation/reciprocal_rank"]).toBeGreaterThan(2 * (ranks[0] as number));
  expect(tuned.manifest).toMatchObject({ kind: "text", blocks: 1 });
  expect(tuned.files.has("model.onnx")).toBe(true);
  expect(tuned.files.has("head/config.json")).toBe(false);
});
