import { isRetryable } from "@medley/core";

/** What became of one item: done, or failed alone, so it is the item's own fault. */
export type Isolated<Item> = { item: Item; error: unknown };

/**
 * Runs `run` over all items; where it throws an error that trying again won't mend, halves them until the items at
 * fault stand alone. One bad item among n costs at most 2·log2(n) + 1 runs, of which the others take part in at most
 * log2(n) + 1. Passing errors are thrown as they are: the caller retries everything, so `run` must be repeatable.
 *
 * Returns the items at fault. `run` has succeeded for all others.
 */
export async function bisect<Item>(
  items: readonly Item[],
  run: (part: readonly Item[]) => Promise<void>,
  isPassing: (error: unknown) => boolean = isRetryable,
): Promise<readonly Isolated<Item>[]> {
  if (items.length === 0) return [];
  try {
    await run(items);
    return [];
  } catch (error) {
    if (isPassing(error)) throw error;
    if (items.length === 1) return [{ item: items[0] as Item, error }];
  }
  const middle = items.length >> 1;
  const left = await bisect(items.slice(0, middle), run, isPassing);
  const right = await bisect(items.slice(middle), run, isPassing);
  return [...left, ...right];
}
