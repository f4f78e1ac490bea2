import { strict as assert } from "node:assert";

export interface BatchBounds {
  /** Texts times the longest of them. A single text may exceed it. */
  readonly paddedTokensMax: number;
  readonly batchTextsMax: number;
}

/**
 * Groups texts of like length, so that little is computed for padding: indices into `lengths`, the longest texts
 * first (the last batches to run are then short, and all threads end at about the same time). Texts of length 0 are
 * in no batch.
 */
export function batchesByLength(lengths: ArrayLike<number>, bounds: BatchBounds): number[][] {
  assert(bounds.paddedTokensMax > 0);
  assert(bounds.batchTextsMax > 0);
  const order = Array.from(lengths, (_, index) => index).filter((index) => (lengths[index] as number) > 0);
  order.sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of order) {
    const longest = lengths[batch[0] ?? index] as number;
    const full =
      batch.length === bounds.batchTextsMax || (batch.length + 1) * longest > bounds.paddedTokensMax;
    if (full && batch.length > 0) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
