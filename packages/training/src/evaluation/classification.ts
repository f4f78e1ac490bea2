import { strict as assert } from "node:assert";

/** What a classifier got right, by class; classes are numbers from 0. */
export interface ClassReport {
  readonly accuracy: number;
  /** Mean of F1 over the classes that occur in the truth or in the predictions, each counting the same. */
  readonly macroF1: number;
  readonly classes: readonly ClassScore[];
  /** [classCount, classCount], row-major: rows are the truth, columns what was predicted. */
  readonly confusion: Int32Array;
}

/** A ratio without a denominator (a class that is never predicted, or never true) is 0. */
export interface ClassScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Rows that are truly of this class. */
  readonly support: number;
}

/** `truth` and `predicted`: one class, 0 ≤ class < classCount, per row; at least one row. */
export function classReport(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  { classCount }: { readonly classCount: number },
): ClassReport {
  const confusion = confusionMatrix(truth, predicted, { classCount });
  const classes = Array.from({ length: classCount }, (_, of) => scoreOf(confusion, classCount, of));
  let [correct, f1, occurring] = [0, 0, 0];
  for (const [of, score] of classes.entries()) {
    correct += confusion[of * classCount + of] as number;
    if (score.support === 0 && columnSum(confusion, classCount, of) === 0) continue;
    occurring += 1;
    f1 += score.f1;
  }
  return { accuracy: correct / truth.length, macroF1: f1 / occurring, classes, confusion };
}

/** As `ClassReport.confusion`. */
export function confusionMatrix(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  { classCount }: { readonly classCount: number },
): Int32Array {
  assert(truth.length > 0, "rows to compare");
  assert(truth.length === predicted.length, "one prediction per row");
  const matrix = new Int32Array(classCount * classCount);
  for (let row = 0; row < truth.length; row += 1) {
    const [is, guess] = [truth[row] as number, predicted[row] as number];
    assert(is >= 0 && is < classCount && guess >= 0 && guess < classCount, "classes are below classCount");
    matrix[is * classCount + guess] = (matrix[is * classCount + guess] as number) + 1;
  }
  return matrix;
}

/** The class of the highest probability of each row, the lowest class where several are equal. */
export function mostProbable(
  probabilities: ArrayLike<number>,
  { classCount }: { readonly classCount: number },
): Int32Array {
  assert(probabilities.length % classCount === 0, "a probability per row and class");
  return Int32Array.from({ length: probabilities.length / classCount }, (_, row) => {
    let best = 0;
    for (let other = 1; other < classCount; other += 1) {
      const [now, then] = [probabilities[row * classCount + other], probabilities[row * classCount + best]];
      if ((now as number) > (then as number)) best = other;
    }
    return best;
  });
}

function scoreOf(confusion: Int32Array, classCount: number, of: number): ClassScore {
  const hits = confusion[of * classCount + of] as number;
  const predicted = columnSum(confusion, classCount, of);
  let support = 0;
  for (let column = 0; column < classCount; column += 1)
    support += confusion[of * classCount + column] as number;
  return {
    precision: predicted === 0 ? 0 : hits / predicted,
    recall: support === 0 ? 0 : hits / support,
    f1: support + predicted === 0 ? 0 : (2 * hits) / (support + predicted),
    support,
  };
}

function columnSum(confusion: Int32Array, classCount: number, column: number): number {
  let sum = 0;
  for (let row = 0; row < classCount; row += 1) sum += confusion[row * classCount + column] as number;
  return sum;
}
