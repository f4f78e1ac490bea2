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
  const sums = scores.map((row) => foldSums(folds, (at) => row[at] as number));
  const chosen = settingsOfFolds(sums);
  return {
    scores: Float64Array.from(folds, (fold, at) => scores[chosen[fold] as number]?.[at] as number),
    setting: highest(sums.map(total)),
  };
}

/** The mean of `CrossFitted.scores`, from a setting's sums of scores by fold. */
export function crossFittedMean(sums: readonly Float64Array[], rows: number): number {
  const chosen = settingsOfFolds(sums);
  return chosen.reduce((sum, setting, fold) => sum + (sums[setting]?.[fold] as number), 0) / rows;
}

/** One setting's scores, added up by fold. */
export function foldSums(folds: Folds, scoreOf: (row: number) => number): Float64Array {
  const sums = new Float64Array(Math.max(...folds) + 1);
  for (let row = 0; row < folds.length; row += 1) {
    const fold = folds[row] as number;
    sums[fold] = (sums[fold] as number) + scoreOf(row);
  }
  return sums;
}

/** For each fold the setting that is best on the others. */
function settingsOfFolds(sums: readonly Float64Array[]): readonly number[] {
  const totals = sums.map(total);
  return Array.from({ length: sums[0]?.length ?? 0 }, (_, fold) =>
    highest(totals.map((all, setting) => all - (sums[setting]?.[fold] as number))),
  );
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function highest(values: readonly number[]): number {
  return values.reduce((best, value, at) => (value > (values[best] as number) + 1e-12 ? at : best), 0);
}
