import { strict as assert } from "node:assert";
import { Random } from "@medley/core";

export interface BootstrapOptions {
  readonly seed: number;
  /** Default 10,000. */
  readonly resamples?: number;
  /** Of the interval. Default .95. */
  readonly confidence?: number;
}

/** `a - b`, and where it lies with the confidence asked for. */
export interface BootstrapInterval {
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** The interval is above 0: the gain is no accident of which rows were held out. */
  readonly isGain: boolean;
}

/**
 * The difference of two models' mean scores on the same rows: `a` and `b` hold a score per row (1 where a classifier was right, or
 * minus an error). Rows are drawn together, so what is hard for both does not widen the interval.
 */
export function pairedBootstrap(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: BootstrapOptions,
): BootstrapInterval {
  assert(a.length === b.length, "a score per row from both");
  const gains = Float64Array.from(a, (score, row) => score - (b[row] as number));
  const meanGain = (rows: Int32Array) => {
    let sum = 0;
    for (let at = 0; at < rows.length; at += 1) sum += gains[rows[at] as number] as number;
    return sum / rows.length;
  };
  return bootstrapDifference(meanGain, { rowCount: a.length, ...options });
}

/**
 * As `pairedBootstrap`, of any statistic of the rows, such as the difference of two macro-F1: `difference` is given row
 * numbers drawn with repetition, in an array that is used again. The interval is that of percentiles (Efron and Tibshirani, An
 * Introduction to the Bootstrap, 1993, ch. 13).
 */
export function bootstrapDifference(
  difference: (rows: Int32Array) => number,
  { rowCount, seed, resamples = 10_000, confidence = 0.95 }: BootstrapOptions & { readonly rowCount: number },
): BootstrapInterval {
  assert(rowCount > 0, "rows to draw from");
  assert(resamples >= 100, "at least 100 resamples");
  assert(confidence > 0 && confidence < 1, "a confidence between 0 and 1");
  const random = new Random(seed);
  const rows = Int32Array.from({ length: rowCount }, (_, row) => row);
  const observed = difference(rows);
  const drawn = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample += 1) {
    // As `below` draws, without its check, which would take longer than the draw.
    for (let at = 0; at < rowCount; at += 1) rows[at] = random.uniform() * rowCount;
    drawn[resample] = difference(rows);
  }
  drawn.sort();
  const [low, high] = [quantile(drawn, (1 - confidence) / 2), quantile(drawn, (1 + confidence) / 2)];
  return { difference: observed, low, high, isGain: low > 0 };
}

/** Between two values in proportion to the distance. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] as number;
  return below + (place % 1) * ((sorted[Math.ceil(place)] as number) - below);
}
