import type { Random } from "@medley/core";

export interface ReservoirOptions {
  readonly itemsMax: number;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
}

/**
 * At most `itemsMax` of the items, each with the same chance, read once (Vitter, "Random sampling with a reservoir", 1985,
 * algorithm R); in order where they are no more than that. After `signal` what was read by then is taken.
 */
export async function sampleItems<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  { itemsMax, random, signal }: ReservoirOptions,
): Promise<Item[]> {
  const sample: Item[] = [];
  let seen = 0;
  for await (const item of items) {
    if (signal?.aborted) break;
    seen += 1;
    if (sample.length < itemsMax) {
      sample.push(item);
      continue;
    }
    const place = random.below(seen);
    if (place < itemsMax) sample[place] = item;
  }
  return sample;
}
