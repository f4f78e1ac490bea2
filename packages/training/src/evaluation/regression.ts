import { strict as assert } from "node:assert";

/** Mean of (predicted - truth)² over all values, in squared units of them; NaN where one of them is. */
export function meanSquaredError(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  return meanOf(truth, predicted, (difference) => difference * difference);
}

/** Mean of |predicted - truth| over all values, in their unit; NaN where one of them is. */
export function meanAbsoluteError(truth: ArrayLike<number>, predicted: ArrayLike<number>): number {
  return meanOf(truth, predicted, Math.abs);
}

function meanOf(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  of: (difference: number) => number,
): number {
  assert(truth.length > 0, "values to compare");
  assert(truth.length === predicted.length, "one prediction per value");
  let sum = 0;
  for (let at = 0; at < truth.length; at += 1) sum += of((predicted[at] as number) - (truth[at] as number));
  return sum / truth.length;
}
