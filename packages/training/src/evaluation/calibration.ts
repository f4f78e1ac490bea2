import { strict as assert } from "node:assert";
import { mostProbable } from "./classification.ts";

/** Rows whose highest probability lies in the same bin. */
export interface ReliabilityBin {
  readonly count: number;
  /** Means over the bin's rows; 0 in an empty bin. */
  readonly confidence: number;
  readonly accuracy: number;
}

/** As in Guo et al.'s figures. */
const binsDefault = 15;

/**
 * How far confidence is from accuracy, by rows: sum over bins of count/n · |accuracy - confidence| (Guo, Pleiss, Sun and
 * Weinberger, On Calibration of Modern Neural Networks, 2017, eq. 3). 0 is calibrated, 1 the worst.
 */
export function expectedCalibrationError(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  options: { readonly classCount: number; readonly bins?: number },
): number {
  const bins = reliabilityBins(truth, probabilities, options);
  const gaps = bins.map(({ count, accuracy, confidence }) => count * Math.abs(accuracy - confidence));
  return gaps.reduce((sum, gap) => sum + gap, 0) / truth.length;
}

/**
 * Bins of equal width over the highest probability of each row, the upper edge belonging to the bin: what a reliability diagram
 * shows. `probabilities` is [rows, classCount], row-major, each row adding up to 1.
 */
export function reliabilityBins(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  { classCount, bins = binsDefault }: { readonly classCount: number; readonly bins?: number },
): readonly ReliabilityBin[] {
  const predicted = checkedPredictions(truth, probabilities, classCount);
  const [counts, confidences, hits] = [
    new Float64Array(bins),
    new Float64Array(bins),
    new Float64Array(bins),
  ];
  for (let row = 0; row < truth.length; row += 1) {
    const confidence = probabilities[row * classCount + (predicted[row] as number)] as number;
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1));
    counts[bin] = (counts[bin] as number) + 1;
    confidences[bin] = (confidences[bin] as number) + confidence;
    hits[bin] = (hits[bin] as number) + (predicted[row] === truth[row] ? 1 : 0);
  }
  return Array.from(counts, (count, bin) => ({
    count,
    confidence: count === 0 ? 0 : (confidences[bin] as number) / count,
    accuracy: count === 0 ? 0 : (hits[bin] as number) / count,
  }));
}

/**
 * Mean squared distance of the probabilities from the truth as 0 and 1, summed over classes: 0 to 2 (Brier, Verification of
 * Forecasts Expressed in Terms of Probability, 1950). For two classes it is twice the score of the positive one alone.
 */
export function brierScore(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  { classCount }: { readonly classCount: number },
): number {
  checkedPredictions(truth, probabilities, classCount);
  let sum = 0;
  for (let at = 0; at < probabilities.length; at += 1) {
    const is = truth[Math.floor(at / classCount)] === at % classCount ? 1 : 0;
    sum += ((probabilities[at] as number) - is) ** 2;
  }
  return sum / truth.length;
}

function checkedPredictions(
  truth: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  classCount: number,
): Int32Array {
  assert(truth.length > 0, "rows to compare");
  assert(probabilities.length === truth.length * classCount, "a probability per row and class");
  return mostProbable(probabilities, { classCount });
}
