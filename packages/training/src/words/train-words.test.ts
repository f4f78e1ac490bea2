import { strict as assert } from "node:assert";
import { termsFile, type WordsValue } from "@medley/models";
import { expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import type { TrainedModel } from "../trained-model.ts";
import reference from "./reference.json" with { type: "json" };
import { trainWords } from "./train-words.ts";

const { texts } = reference;

/** Unit-length vectors, all values in one batch. */
async function encode(model: TrainedModel, texts: readonly WordsValue[]): Promise<Float32Array[]> {
  const { values, dimensions } = await encodeValues(model, texts);
  return texts.map((_, row) => values.subarray(row * dimensions, (row + 1) * dimensions));
}

function cosine(a: Float32Array | undefined, b: Float32Array | undefined): number {
  assert(a && b);
  return a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
}

test("texts are as near as scikit-learn's exact decomposition of their TF-IDF rows makes them", async () => {
  const model = await trainWords(texts, { dimensions: 3, seed: 1 });
  const terms: string[] = JSON.parse(new TextDecoder().decode(model.files.get(termsFile)));
  expect(terms.toSorted()).toEqual(reference.terms.toSorted());
  const vectors = await encode(model, texts);
  for (const [row, cosines] of reference.cosines.entries()) {
    for (const [column, expected] of cosines.entries()) {
      expect(cosine(vectors[row], vectors[column])).toBeCloseTo(expected, 5);
    }
  }
  const [{ points }] = model.curves as unknown as [{ points: { value: number }[] }];
  expect(points).toHaveLength(3);
  for (const [index, { value }] of points.entries()) {
    expect(value).toBeCloseTo(reference.singularValues[index] as number, 6);
  }
});

test("all dimensions together keep the cosines of the TF-IDF rows", async () => {
  const vectors = await encode(await trainWords(texts, { dimensions: 8, seed: 1 }), texts);
  for (const [i, a] of reference.rows.entries()) {
    for (const [j, b] of reference.rows.entries()) {
      const expected = a.reduce((sum, x, k) => sum + x * (b[k] as number), 0);
      expect(cosine(vectors[i], vectors[j])).toBeCloseTo(expected, 5);
    }
  }
});

test("a text's vector depends neither on its batch nor, for single words, on their order", async () => {
  const model = await trainWords(texts, { dimensions: 4, seed: 1, ngrams: [1, 1] });
  const [shuffled, plain] = ["house old the letter", "the old letter house"];
  const together = await encode(model, [...texts, shuffled as string, plain as string]);
  const [alone] = await encode(model, [plain as string]);
  expect(cosine(together.at(-1), together.at(-2))).toBeCloseTo(1, 6);
  expect(cosine(alone, together.at(-1))).toBeCloseTo(1, 6);
});

test("pairs of words tell orders apart", async () => {
  const model = await trainWords([...texts, ...texts.toReversed()], { dimensions: 8, seed: 1 });
  const [one, other] = await encode(model, ["old ship", "ship old"]);
  expect(cosine(one, other)).toBeLessThan(0.999);
});

test("words that were never seen change nothing, and alone say nothing", async () => {
  const model = await trainWords(texts, { dimensions: 4, seed: 1, ngrams: [1, 1] });
  const [with_, without, unseen, empty] = await encode(model, [
    "old xyzzy ship",
    "old ship",
    "xyzzy plugh",
    "",
  ]);
  expect(cosine(with_, without)).toBeCloseTo(1, 6);
  expect([...(unseen as Float32Array)]).toEqual([0, 0, 0, 0]);
  expect([...(empty as Float32Array)]).toEqual([0, 0, 0, 0]);
});

test("the same seed gives the same files, from an iterable as from an async one", async () => {
  async function* stream() {
    yield* texts;
  }
  const options = { dimensions: 3, seed: 9 };
  const [first, again] = [await trainWords(texts, options), await trainWords(stream(), options)];
  expect(again.files).toEqual(first.files);
});

test("the vocabulary holds the terms of most texts, up to its bound", async () => {
  const model = await trainWords(texts, { dimensions: 2, seed: 1, vocabularyMax: 3 });
  // "the" is in 7 texts, "a" in 4 as are "dawn", "house" and "old": equals come in alphabetical order.
  expect(JSON.parse(new TextDecoder().decode(model.files.get(termsFile)))).toEqual(["the", "a", "dawn"]);
});

test("more texts than the bound are sampled, and an abort takes those read by then", async () => {
  const many = Array.from({ length: 500 }, (_, i) => `word${i % 10} common`);
  const sampled = await trainWords(many, { dimensions: 2, seed: 1, textsMax: 50 });
  expect(sampled.metrics["train/texts"]).toBe(50);
  const stop = new AbortController();
  function* untilAborted() {
    for (const [i, text] of many.entries()) {
      if (i === 20) stop.abort();
      yield text;
    }
  }
  const aborted = await trainWords(untilAborted(), { dimensions: 2, seed: 1, signal: stop.signal });
  expect(aborted.metrics["train/texts"]).toBe(20);
});

test("texts without a word in common can't train it", async () => {
  await expect(trainWords(["one", "two", "!"], { dimensions: 2, seed: 1 })).rejects.toMatchObject({
    code: "training_data_invalid",
    message: "no word is in 2 of the 3 texts that the space could be trained on",
  });
  await expect(trainWords([], { dimensions: 2, seed: 1 })).rejects.toMatchObject({
    code: "training_data_invalid",
  });
});

test("progress is told pass by pass", async () => {
  const told: string[] = [];
  await trainWords(texts, {
    dimensions: 3,
    seed: 1,
    onProgress: ({ stage, done, total, unit }) => told.push(`${stage} ${done}/${total} ${unit}`),
  });
  expect(told.at(0)).toBe("singular vectors 1/6 passes");
  expect(told.at(-1)).toBe("singular vectors 6/6 passes");
});
