import { strict as assert } from "node:assert";
import type { Encoder } from "@medley/core";
import { type Duel, duel, secondsOf } from "./duel.ts";
import type { Rival } from "./rivals/rival.ts";

/** A rival in one of its settings, and how fast it was in a trial. */
export interface Trial {
  readonly rival: Rival;
  /** 0: the library's own default. */
  readonly batchTexts: number;
  readonly textsPerSecond: number;
}

/** Every batch size with every rival (each its number of threads); the fastest first. */
export async function trialsOf(
  rivals: readonly Rival[],
  batchSizes: readonly number[],
  texts: readonly string[],
): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const rival of rivals) {
    for (const batchTexts of batchSizes) {
      await rival.encode(texts.slice(0, batchTexts), batchTexts);
      const { seconds } = await rival.encode(texts, batchTexts);
      trials.push({ rival, batchTexts, textsPerSecond: texts.length / seconds });
    }
  }
  return trials.sort((a, b) => b.textsPerSecond - a.textsPerSecond);
}

/**
 * Our encoder against a rival, which runs every round in all of the given settings: the fastest of them counts. Throws
 * where the rival leaves work out: the number of vectors and, from `cosineMin` on, their directions are compared.
 */
export async function contest(
  encoder: Encoder<string, string>,
  settings: readonly Trial[],
  texts: readonly string[],
  { rounds, cosineMin }: { rounds: number; cosineMin: number },
): Promise<Duel & { cosine: number }> {
  const theirs = async () => {
    const seconds: number[] = [];
    for (const { rival, batchTexts } of settings)
      seconds.push((await rival.encode(texts, batchTexts)).seconds);
    return Math.min(...seconds);
  };
  const fight = await duel(rounds, () => secondsOf(() => encoder.encode(texts)), theirs);
  const results = await encoder.encode(texts);
  let cosine = 1;
  for (const { rival, batchTexts } of settings) {
    const { vectors } = await rival.encode(texts, batchTexts);
    assert.equal(vectors.length, texts.length, `${rival.library} gave ${vectors.length} vectors`);
    results.forEach((result, index) => {
      assert(result.ok);
      const vector = vectors[index] as readonly number[];
      assert.equal(vector.length, result.value.length);
      cosine = Math.min(
        cosine,
        vector.reduce((sum, x, d) => sum + x * (result.value[d] as number), 0),
      );
    });
  }
  assert(cosine >= cosineMin, `the two sides' vectors differ: cosine ${cosine}`);
  return { ...fight, cosine };
}

export function described(texts: number, fight: Duel, library: string): string {
  const { oursSeconds, theirsSeconds, ratio, ratioMin, ratioMax } = fight;
  const perSecond = (seconds: number) => (texts / seconds).toFixed(1);
  return (
    `ours ${perSecond(oursSeconds)}, ${library} ${perSecond(theirsSeconds)} texts/s, ` +
    `ratio ${ratio.toFixed(2)} (${ratioMin.toFixed(2)} to ${ratioMax.toFixed(2)} by round)`
  );
}

export function trialOf({ rival, batchTexts, textsPerSecond }: Trial): string {
  const threads = rival.threads === 0 ? "default" : rival.threads;
  const batch = batchTexts === 0 ? "default" : batchTexts;
  return `batch ${batch}, threads ${threads}: ${textsPerSecond.toFixed(1)} texts/s in the trial`;
}
