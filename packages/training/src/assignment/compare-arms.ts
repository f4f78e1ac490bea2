import { strict as assert } from "node:assert";
import { Random } from "@medley/core";

/** How far an arm's mean score is behind the best one's. */
export interface Behind {
  readonly difference: number;
  /** All intervals of a comparison hold at once with the confidence asked for. */
  readonly low: number;
  readonly high: number;
}

export interface CompareOptions {
  readonly seed: number;
  /** Default 2,000. */
  readonly resamples?: number;
  /** Default .95. */
  readonly confidence?: number;
}

/**
 * Every arm beside the best of them, by a paired bootstrap: rows are drawn together for all arms. The best one was chosen for its score
 * and there may be many others, so the intervals are widened to the largest of all standardised deviations (the bootstrap's maximum
 * statistic; Romano and Wolf, 2005). `scores`: [arms][rows]. In the arms' order; the best is behind itself by 0.
 */
export function behindBest(scores: readonly Float64Array[], options: CompareOptions): readonly Behind[] {
  const { seed, resamples = 2_000, confidence = 0.95 } = options;
  const rowCount = scores[0]?.length ?? 0;
  assert(rowCount > 0, "arms with rows");
  const best = scores[bestOf(scores)] as Float64Array;
  const gains = scores.map((row) => best.map((score, at) => score - (row[at] as number)));
  const observed = gains.map(meanOf);
  const drawn = gains.map(() => new Float64Array(resamples));
  const random = new Random(seed);
  const rows = new Int32Array(rowCount);
  for (let resample = 0; resample < resamples; resample += 1) {
    for (let at = 0; at < rowCount; at += 1) rows[at] = random.uniform() * rowCount;
    for (const [arm, gain] of gains.entries()) {
      let sum = 0;
      for (let at = 0; at < rowCount; at += 1) sum += gain[rows[at] as number] as number;
      (drawn[arm] as Float64Array)[resample] = sum / rowCount;
    }
  }
  const errors = drawn.map(deviationOf);
  const largest = Float64Array.from({ length: resamples }, (_, resample) => {
    const deviations = drawn.map((means, arm) => {
      const error = errors[arm] as number;
      return error === 0 ? 0 : Math.abs((means[resample] as number) - (observed[arm] as number)) / error;
    });
    return Math.max(...deviations);
  }).sort();
  const times = largest[Math.min(resamples - 1, Math.ceil(confidence * resamples))] as number;
  return observed.map((difference, arm) => {
    const width = times * (errors[arm] as number);
    return { difference, low: difference - width, high: difference + width };
  });
}

/** The arm of the highest mean score; of equals the first. */
export function bestOf(scores: readonly Float64Array[]): number {
  const means = scores.map(meanOf);
  return means.reduce((best, mean, at) => (mean > (means[best] as number) + 1e-12 ? at : best), 0);
}

export function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: Float64Array): number {
  const mean = meanOf(values);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  // What is left of rounding is no deviation.
  return squares < 1e-18 ? 0 : Math.sqrt(squares);
}
