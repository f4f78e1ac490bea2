import { setImmediate } from "node:timers/promises";
import { solvePositiveDefinite } from "../linear-algebra/cholesky.ts";
import { type DenseMatrix, denseMatrix, gramOf, multiply } from "../linear-algebra/matrix.ts";
import { batchesInOrder, type SeriesWindows, type WindowBatch } from "./windows.ts";

/** What a channel of a window is taken less of, before the map and after it: nothing, its last step, or its mean. */
export type Level = "none" | "last" | "mean";

/** Forecast = map · look-back + bias, of any channel. */
export interface LinearMap {
  /** [lookback, horizon]. */
  readonly weight: DenseMatrix;
  /** [horizon]. */
  readonly bias: Float64Array;
}

/** What least squares need to know of all training windows; small, however many there are. */
interface Moments {
  /** Of look-backs less their mean, [lookback, lookback]. */
  readonly gram: DenseMatrix;
  /** Of look-backs with what follows, both less their means, [lookback, horizon]. */
  readonly cross: DenseMatrix;
  readonly lookbackMean: Float64Array;
  readonly horizonMean: Float64Array;
}

export interface LeastSquaresOptions {
  readonly level: Level;
  readonly signal?: AbortSignal | undefined;
  readonly onWindows: (done: number, total: number) => void;
}

const windowsAtOnce = 64;
/** Rounds in which missing targets are filled; each comes nearer to what the others say. */
const fillingRounds = 5;

/**
 * The linear maps of the least squared error over all training windows and channels, one per ridge: a penalty on squared weights, as a
 * share of the look-backs' mean variance (Hoerl & Kennard, Ridge regression, 1970). A target that is missing is filled with what the map
 * of the round before forecasts, which leads to the best fit of those that are there (Dempster, Laird & Rubin 1977).
 *
 * The best there is, in one pass over the windows: what steps of gradients come near to, they give at once and without noise.
 *
 * The event loop runs between batches of windows. Where the signal aborts, the windows of the first pass that were read by then are
 * enough, at least one batch; a later pass that it cuts off is forgotten.
 */
export async function leastSquares(
  windows: SeriesWindows,
  ridges: readonly number[],
  options: LeastSquaresOptions,
): Promise<LinearMap[]> {
  let { moments, missing } = await momentsOf(windows, null, options);
  if (missing > 0) {
    const middle = ridges[Math.floor(ridges.length / 2)] as number;
    for (let round = 1; round < fillingRounds && !options.signal?.aborted; round += 1) {
      const next = await momentsOf(windows, solve(moments, middle), options);
      // Of some of the windows only, they would be worse than what there is.
      if (options.signal?.aborted) break;
      ({ moments, missing } = next);
    }
  }
  return ridges.map((ridge) => solve(moments, ridge));
}

function solve({ gram, cross, lookbackMean, horizonMean }: Moments, ridge: number): LinearMap {
  const size = gram.rows;
  const penalised = denseMatrix(size, size);
  penalised.values.set(gram.values);
  let trace = 0;
  for (let at = 0; at < size; at += 1) trace += gram.values[at * size + at] as number;
  // A look-back that never changes has no weight that is better than another.
  const penalty = Math.max((ridge * trace) / size, Number.EPSILON);
  for (let at = 0; at < size; at += 1)
    penalised.values[at * size + at] = (gram.values[at * size + at] as number) + penalty;
  const weight = solvePositiveDefinite(penalised, cross);
  const explained = multiply({ rows: 1, columns: size, values: lookbackMean }, weight).values;
  return { weight, bias: horizonMean.map((mean, at) => mean - (explained[at] as number)) };
}

async function momentsOf(
  windows: SeriesWindows,
  filler: LinearMap | null,
  { level, signal, onWindows }: LeastSquaresOptions,
): Promise<{ moments: Moments; missing: number }> {
  const { lookback, horizon, channels } = windows.manifest;
  const columns = lookback + horizon;
  const sums = new Float64Array(columns);
  const products = denseMatrix(columns, columns);
  let [rows, missing, done] = [0, 0, 0];
  for (const numbers of batchesInOrder(windows.counts.train, windowsAtOnce)) {
    if (signal?.aborted && rows > 0) break;
    const batch = windows.batch("train", numbers);
    const table = denseMatrix(numbers.length * channels, columns);
    for (let window = 0; window < numbers.length; window += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        const row = table.values.subarray(rowAt(window, channel), rowAt(window, channel) + columns);
        missing += fillRow(row, batch, { window, channel, lookback, horizon, channels, level, filler });
        for (let at = 0; at < columns; at += 1) sums[at] = (sums[at] as number) + (row[at] as number);
      }
    }
    function rowAt(window: number, channel: number): number {
      return (window * channels + channel) * columns;
    }
    const { values } = gramOf(table);
    for (let at = 0; at < values.length; at += 1)
      products.values[at] = (products.values[at] as number) + (values[at] as number);
    rows += table.rows;
    done += numbers.length;
    onWindows(done, windows.counts.train);
    // Ctrl-C and timers get their turn.
    await setImmediate();
  }
  return { moments: centredMoments(products, sums, { rows, lookback, horizon }), missing };
}

interface Place {
  readonly window: number;
  readonly channel: number;
  readonly lookback: number;
  readonly horizon: number;
  readonly channels: number;
  readonly level: Level;
  readonly filler: LinearMap | null;
}

/** One channel of a window, look-back and what follows, less its level. Returns how many targets are missing. */
function fillRow(row: Float64Array, { inputs, targets, weights }: WindowBatch, place: Place): number {
  const { window, channel, lookback, horizon, channels, filler } = place;
  const series = inputs.series as Float32Array;
  for (let step = 0; step < lookback; step += 1)
    row[step] = series[(window * lookback + step) * channels + channel] as number;
  const level = levelOf(row.subarray(0, lookback), place.level);
  for (let step = 0; step < lookback; step += 1) row[step] = (row[step] as number) - level;
  let missing = 0;
  for (let step = 0; step < horizon; step += 1) {
    const at = (window * horizon + step) * channels + channel;
    if (weights[at] === 1) row[lookback + step] = (targets[at] as number) - level;
    else {
      missing += 1;
      row[lookback + step] = filler === null ? 0 : forecastOf(filler, row, step);
    }
  }
  return missing;
}

function levelOf(steps: Float64Array, level: Level): number {
  switch (level) {
    case "none":
      return 0;
    case "last":
      return steps.at(-1) as number;
    default:
      return steps.reduce((sum, value) => sum + value, 0) / steps.length;
  }
}

function forecastOf({ weight, bias }: LinearMap, row: Float64Array, step: number): number {
  let sum = bias[step] as number;
  for (let at = 0; at < weight.rows; at += 1)
    sum += (weight.values[at * weight.columns + step] as number) * (row[at] as number);
  return sum;
}

function centredMoments(
  { values }: DenseMatrix,
  sums: Float64Array,
  { rows, lookback, horizon }: { rows: number; lookback: number; horizon: number },
): Moments {
  const columns = lookback + horizon;
  const means = sums.map((sum) => sum / rows);
  const centred = (i: number, j: number) =>
    (values[i * columns + j] as number) - rows * (means[i] as number) * (means[j] as number);
  const gram = denseMatrix(lookback, lookback);
  const cross = denseMatrix(lookback, horizon);
  for (let i = 0; i < lookback; i += 1) {
    for (let j = 0; j < lookback; j += 1) gram.values[i * lookback + j] = centred(i, j);
    for (let j = 0; j < horizon; j += 1) cross.values[i * horizon + j] = centred(i, lookback + j);
  }
  return { gram, cross, lookbackMean: means.slice(0, lookback), horizonMean: means.slice(lookback) };
}
