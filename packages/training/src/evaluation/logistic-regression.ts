import { strict as assert } from "node:assert";
import { minimise, type Objective } from "./lbfgs.ts";

/** Row-major feature rows: row i is `values[i * columns .. (i + 1) * columns]`. */
export interface FeatureRows {
  readonly columns: number;
  readonly values: Float32Array | Float64Array;
}

export interface LogisticRegressionOptions {
  /** Labels are 0 to `classCount` - 1. */
  readonly classCount: number;
  /** λ: (λ / 2) times the sum of the squared weights, biases not counted, is added to the mean cross-entropy. 0 or more. */
  readonly l2: number;
  /** By class. Default: every row counts 1. */
  readonly classWeights?: readonly number[];
  /** Default 300. */
  readonly iterationsMax?: number;
}

const gradientMax = 1e-6;

/** P(class | x) = softmax(W x + b). */
export class LogisticRegression {
  readonly classCount: number;
  readonly columns: number;
  /** [classes, columns + 1], row-major; the last column holds the biases. */
  readonly weights: Float64Array;

  /** `weights` as above. */
  constructor(weights: Float64Array, classCount: number) {
    assert(classCount >= 2 && weights.length % classCount === 0, "a row of weights per class");
    this.classCount = classCount;
    this.columns = weights.length / classCount - 1;
    this.weights = weights;
  }

  /** One probability per class, of sum 1. */
  probabilities(row: ArrayLike<number>): Float64Array {
    assert.equal(row.length, this.columns, "a row of the features' length");
    const scores = new Float64Array(this.classCount);
    scoresInto(scores, this.weights, row, 0);
    softmaxInPlace(scores);
    return scores;
  }

  /** The most probable class; of equals, the lower number. */
  predict(row: ArrayLike<number>): number {
    const probabilities = this.probabilities(row);
    return probabilities.indexOf(Math.max(...probabilities));
  }
}

/**
 * Multinomial logistic regression with an L2 penalty, fitted by L-BFGS from zero: the minimum is unique for l2 > 0, so there
 * is no seed. scikit-learn's `LogisticRegression(C)` is l2 = 1 / (C rows) for more than two classes, and twice that for two.
 */
export function fitLogisticRegression(
  rows: FeatureRows,
  labels: ArrayLike<number>,
  options: LogisticRegressionOptions,
): LogisticRegression {
  const { columns, values } = rows;
  const { classCount, l2, iterationsMax = 300 } = options;
  assert(labels.length > 0 && labels.length * columns === values.length, "one label per row");
  assert(l2 >= 0 && classCount >= 2, "l2 of 0 or more, two classes or more");
  for (let row = 0; row < labels.length; row += 1) {
    const label = labels[row] as number;
    assert(Number.isInteger(label) && label >= 0 && label < classCount, "labels from 0 on");
  }
  const weights = minimise(
    crossEntropy(rows, labels, options),
    new Float64Array(classCount * (columns + 1)),
    { iterationsMax, gradientMax },
  );
  return new LogisticRegression(weights, classCount);
}

/** The penalised mean cross-entropy of weights as `LogisticRegression` holds them. */
function crossEntropy(
  { columns, values }: FeatureRows,
  labels: ArrayLike<number>,
  { classCount, l2, classWeights }: LogisticRegressionOptions,
): Objective {
  const weightOf = (row: number) => classWeights?.[labels[row] as number] ?? 1;
  let total = 0;
  for (let row = 0; row < labels.length; row += 1) total += weightOf(row);
  const scores = new Float64Array(classCount);
  return (weights, gradient) => {
    let loss = penaltyInto(gradient, weights, columns + 1, l2);
    for (let row = 0; row < labels.length; row += 1) {
      const label = labels[row] as number;
      const share = weightOf(row) / total;
      scoresInto(scores, weights, values, row * columns);
      const own = scores[label] as number;
      loss += share * (softmaxInPlace(scores) - own);
      for (let one = 0; one < classCount; one += 1) {
        const error = share * ((scores[one] as number) - (one === label ? 1 : 0));
        let to = one * (columns + 1);
        for (let i = 0; i < columns; i += 1, to += 1) {
          gradient[to] = (gradient[to] as number) + error * (values[row * columns + i] as number);
        }
        gradient[to] = (gradient[to] as number) + error;
      }
    }
    return loss;
  };
}

/** Returns the penalty and sets `gradient` to its own; biases, the last of each `width` weights, have none. */
function penaltyInto(gradient: Float64Array, weights: Float64Array, width: number, l2: number): number {
  let squares = 0;
  for (let i = 0; i < weights.length; i += 1) {
    const weight = i % width === width - 1 ? 0 : (weights[i] as number);
    squares += weight * weight;
    gradient[i] = l2 * weight;
  }
  return (l2 / 2) * squares;
}

/** W x + b for the x that starts at `from`. */
function scoresInto(scores: Float64Array, weights: Float64Array, x: ArrayLike<number>, from: number): void {
  const columns = weights.length / scores.length - 1;
  for (let one = 0; one < scores.length; one += 1) {
    const at = one * (columns + 1);
    let sum = weights[at + columns] as number;
    for (let i = 0; i < columns; i += 1) sum += (weights[at + i] as number) * (x[from + i] as number);
    scores[one] = sum;
  }
}

/** Returns ln of the sum of the exponentials. The largest is taken off first, so none overflows. */
function softmaxInPlace(scores: Float64Array): number {
  const most = Math.max(...scores);
  let sum = 0;
  for (let i = 0; i < scores.length; i += 1) {
    scores[i] = Math.exp((scores[i] as number) - most);
    sum += scores[i] as number;
  }
  for (let i = 0; i < scores.length; i += 1) scores[i] = (scores[i] as number) / sum;
  return most + Math.log(sum);
}
