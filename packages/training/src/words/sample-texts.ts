import type { WordsValue } from "@medley/models";
import type { Random } from "../random.ts";

/**
 * At most `textsMax` of the texts, each with the same chance, read once and in order (Vitter, "Random sampling with a
 * reservoir", 1985, algorithm R). Texts of nothing count as well. After `signal` what was read by then is taken.
 */
export async function sampleTexts(
  texts: Iterable<WordsValue> | AsyncIterable<WordsValue>,
  { textsMax, random, signal }: { textsMax: number; random: Random; signal?: AbortSignal | undefined },
): Promise<WordsValue[]> {
  const sample: WordsValue[] = [];
  let seen = 0;
  for await (const text of texts) {
    if (signal?.aborted) break;
    seen += 1;
    if (sample.length < textsMax) {
      sample.push(text);
      continue;
    }
    const place = random.below(seen);
    if (place < textsMax) sample[place] = text;
  }
  return sample;
}
