import { strict as assert } from "node:assert";
import type { StateTensor } from "../engine/training-step.ts";
import { headName, headScale, type InitialHead } from "./objective.ts";

/** A linear classifier of unit vectors. */
export interface ClassifierHead {
  /** [classes, dimensions], row-major. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** [rows, classes]: W x + b of vectors [rows, dimensions]. */
export function headLogitsOf({ weight, bias }: ClassifierHead, vectors: Float32Array): Float64Array {
  const classCount = bias.length;
  const dimensions = weight.length / classCount;
  const rows = vectors.length / dimensions;
  const logits = new Float64Array(rows * classCount);
  for (let row = 0; row < rows; row += 1) {
    for (let one = 0; one < classCount; one += 1) {
      let sum = bias[one] as number;
      for (let d = 0; d < dimensions; d += 1)
        sum += (weight[one * dimensions + d] as number) * (vectors[row * dimensions + d] as number);
      logits[row * classCount + one] = sum;
    }
  }
  return logits;
}

/** [rows, classes]: softmax of logits / temperature. */
export function probabilitiesOf(
  logits: Float64Array,
  { classCount, temperature }: { classCount: number; temperature: number },
): Float64Array {
  const probabilities = new Float64Array(logits.length);
  for (let from = 0; from < logits.length; from += classCount) {
    const row = logits.subarray(from, from + classCount);
    const most = Math.max(...row);
    const powers = row.map((logit) => Math.exp((logit - most) / temperature));
    const sum = powers.reduce((total, power) => total + power, 0);
    for (const [one, power] of powers.entries()) probabilities[from + one] = power / sum;
  }
  return probabilities;
}

/** Mean of -ln P(truth). */
export function negativeLogLikelihood(
  logits: Float64Array,
  labels: ArrayLike<number>,
  options: { classCount: number; temperature: number },
): number {
  const probabilities = probabilitiesOf(logits, options);
  let sum = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const truth = probabilities[row * options.classCount + (labels[row] as number)] as number;
    sum -= Math.log(Math.max(truth, Number.MIN_VALUE));
  }
  return sum / labels.length;
}

const temperatures = { min: 0.05, max: 20 };
/** Halvings of the interval by the golden ratio: to a thousandth. */
const stepsMax = 24;

/**
 * The temperature under which the probabilities of rows that were not trained on are likeliest (Guo, Pleiss, Sun & Weinberger
 * 2017): above 1 for a model that is too sure. It changes no prediction. Found by golden-section search over its logarithm.
 *
 * As if one more row of each class had been seen (Platt 1999): a few rows that are all right would else make a model that is
 * never in doubt.
 */
export function fitTemperature(
  logits: Float64Array,
  labels: ArrayLike<number>,
  { classCount }: { classCount: number },
): number {
  assert(labels.length > 0 && logits.length === labels.length * classCount, "logits of every row");
  const doubt = classCount / (labels.length + classCount);
  const lossAt = (log: number) => {
    const probabilities = probabilitiesOf(logits, { classCount, temperature: Math.exp(log) });
    const surprise = probabilities.map((probability) => -Math.log(Math.max(probability, Number.MIN_VALUE)));
    let sum = 0;
    for (const [at, one] of surprise.entries()) {
      const isTruth = labels[Math.floor(at / classCount)] === at % classCount;
      sum += one * ((isTruth ? 1 - doubt : 0) + doubt / classCount);
    }
    return sum;
  };
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(temperatures.min), Math.log(temperatures.max)];
  let [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [lossA, lossB] = [lossAt(a), lossAt(b)];
  for (let step = 0; step < stepsMax; step += 1) {
    if (lossA < lossB) {
      [high, b, lossB] = [b, a, lossA];
      a = high - ratio * (high - low);
      lossA = lossAt(a);
    } else {
      [low, a, lossA] = [a, b, lossB];
      b = low + ratio * (high - low);
      lossB = lossAt(b);
    }
  }
  return Math.exp((low + high) / 2);
}

/** From the graph's parameters: `head/weight` [dimensions, classes], which is put on `headScale` times the vector. */
export function trainedHead(tensors: ReadonlyMap<string, StateTensor>): ClassifierHead {
  const [weight, bias] = ["weight", "bias"].map((name) => tensors.get(`${headName}/${name}`));
  assert(weight && bias, "the head was trained");
  const scaled = weight.data.map((value) => value * headScale);
  return { weight: transposed(scaled, weight.dims[0] as number), bias: bias.data };
}

/** The other way round: where a graph's head begins. */
export function initialHead({ weight, bias }: ClassifierHead): InitialHead {
  const scaled = weight.map((value) => value / headScale);
  return { weight: transposed(scaled, bias.length), bias };
}

/** From the weights of a logistic regression, [classes, columns + 1]: the biases are the last column. */
export function headOfRegression(weights: Float64Array, columns: number): ClassifierHead {
  const width = columns + 1;
  const classCount = weights.length / width;
  const weight = new Float32Array(classCount * columns);
  const bias = new Float32Array(classCount);
  for (let one = 0; one < classCount; one += 1) {
    weight.set(weights.subarray(one * width, one * width + columns), one * columns);
    bias[one] = weights[one * width + columns] as number;
  }
  return { weight, bias };
}

function transposed(matrix: Float32Array, rows: number): Float32Array {
  const columns = matrix.length / rows;
  return matrix.map((_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)] as number);
}
