import type { Objective } from "./objective.ts";
import type { ShapedBatch, Unit } from "./shape-buckets.ts";

export function unitRows({ kind }: Objective): number {
  return kind === "classification" ? 1 : 2;
}

/**
 * Rows one by one, or two of a group (a class, a pair) together for contrasts: a batch drawn at random from many groups would hold
 * no two of one. `lengths` and `groups`: of each row.
 */
export function unitsOf(objective: Objective, lengths: readonly number[], groups: readonly number[]): Unit[] {
  if (unitRows(objective) === 1) return lengths.map((length, row) => ({ rows: [row], length }));
  const members = Map.groupBy(groups.keys(), (row) => groups[row] as number);
  return [...members.values()].flatMap((of) =>
    Array.from({ length: of.length >> 1 }, (_, at): Unit => {
      const pair = [of[2 * at] as number, of[2 * at + 1] as number];
      return { rows: pair, length: Math.max(...pair.map((row) => lengths[row] as number)) };
    }),
  );
}

/** A batch of contrasts that lacks rows would contrast with padding: it is left out where there are others. */
export function usableBatches(
  batches: readonly ShapedBatch[],
  objective: Objective,
  { batchRows }: { batchRows: number },
): readonly ShapedBatch[] {
  const full = batches.filter(({ rows }) => rows.length === batchRows);
  return unitRows(objective) === 1 || full.length === 0 ? batches : full;
}
