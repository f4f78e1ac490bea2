import { strict as assert } from "node:assert";

/** Rows in parts of about equal size, each with the number of its part. */
export type Folds = Uint8Array;

export interface CrossFitted {
  /** Per row, by the setting that is best on the rows of the other folds. */
  readonly scores: Float64Array;
  /** Best on all rows, the one to go on with; of equals the first. */
  readonly setting: number;
}

/**
 * Nested tuning: a setting is never judged by rows that it was chosen by. `scores` holds a score per setting and row; settings come in
 * the order in which equals are preferred.
 */
export function crossFit(scores: readonly ArrayLike<number>[], folds: Folds): CrossFitted {
  assert(scores.length > 0, "a setting");
  const foldCount = Math.max(...folds) + 1;
  const sums = scores.map((row) => {
    const sum = new Float64Array(foldCount);
    for (const [at, fold] of folds.entries()) sum[fold] = (sum[fold] as number) + (row[at] as number);
    return sum;
  });
  const totals = sums.map((sum) => sum.reduce((total, one) => total + one, 0));
  const chosen = Array.from({ length: foldCount }, (_, fold) =>
    highest(totals.map((total, setting) => total - (sums[setting]?.[fold] as number))),
  );
  return {
    scores: Float64Array.from(folds, (fold, at) => scores[chosen[fold] as number]?.[at] as number),
    setting: highest(totals),
  };
}

function highest(values: readonly number[]): number {
  return values.reduce((best, value, at) => (value > (values[best] as number) + 1e-12 ? at : best), 0);
}
