import { strict as assert } from "node:assert";

export interface BatchBounds {
  /** Rows times the longest of them. A single row may exceed it. */
  readonly paddedValuesMax: number;
  readonly batchRowsMax: number;
  /** What starting a run costs, in values computed: more makes batches fuller, less makes them pad less. */
  readonly runCostValues: number;
  /** Whether shorter rows may be padded to the longest; else all rows of a batch are of one length. */
  readonly pads: boolean;
}

/**
 * Groups rows into batches at the least cost, where a batch of n rows costs runCostValues + n times its longest:
 * indices into `lengths`, the longest rows first (the last batches to run are then short, and all threads end at about
 * the same time). Rows of length 0 are in no batch.
 *
 * Sorted by length, some best grouping is made of neighbours, so dynamic programming over the ends of batches finds it:
 * O(rows x batchRowsMax).
 */
export function batchesByLength(lengths: ArrayLike<number>, bounds: BatchBounds): number[][] {
  const { paddedValuesMax, batchRowsMax, runCostValues, pads } = bounds;
  assert(paddedValuesMax > 0);
  assert(batchRowsMax > 0);
  const lengthOf = (index: number) => lengths[index] as number;
  const order = Array.from(lengths, (_, index) => index).filter((index) => lengthOf(index) > 0);
  order.sort((a, b) => lengthOf(b) - lengthOf(a));
  // The least cost of the first n rows, and how many rows their last batch has.
  const cost = new Float64Array(order.length + 1);
  const lastRows = new Int32Array(order.length + 1);
  for (let end = 1; end <= order.length; end++) {
    cost[end] = Number.POSITIVE_INFINITY;
    const shortest = lengthOf(order[end - 1] as number);
    for (let rows = 1; rows <= Math.min(end, batchRowsMax); rows++) {
      const longest = lengthOf(order[end - rows] as number);
      if (rows > 1 && (rows * longest > paddedValuesMax || (!pads && longest > shortest))) break;
      const total = (cost[end - rows] as number) + runCostValues + rows * longest;
      if (total < (cost[end] as number)) {
        cost[end] = total;
        lastRows[end] = rows;
      }
    }
  }
  const batches: number[][] = [];
  for (let end = order.length; end > 0; end -= lastRows[end] as number) {
    batches.push(order.slice(end - (lastRows[end] as number), end));
  }
  return batches.reverse();
}
