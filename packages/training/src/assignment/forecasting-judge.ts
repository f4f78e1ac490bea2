import type { FutureTable } from "./futures.ts";
import { type Answer, type Judge, numbersOfNeighbours } from "./judge.ts";

/**
 * Forecasts by analogues (Lorenz, 1969): what comes after a record is the mean of what came after its nearest known rows. 1 less the squared
 * error in units of the mean squared error of the known rows' mean future, which is the baseline, channel by channel: 0 is what it scores
 * itself, on average, and 1 would be without an error. A label is a row of the table. What was not measured counts neither in a mean nor
 * in an error; where no neighbour measured anything the baseline answers.
 */
export function forecastingJudge(table: FutureTable, known: Int32Array): Judge {
  const { width } = table;
  // In units of the baseline's error, so that nothing but differences is left to do for each of the many scores of a permutation.
  const values = inUnits(table, known);
  const futureOf = (row: number) => values.subarray(row * width, (row + 1) * width);
  const meanFuture = meanOf(Array.from(known, futureOf), new Float32Array(width));
  const score = (forecast: Float32Array, from: number, truth: number) =>
    1 - meanSquare(forecast, from, values, { from: truth * width, length: width });
  const answerOf = (rows: Int32Array, { k, of }: { readonly k: number; readonly of: number }): Answer => {
    const forecasts = new Float32Array((rows.length / of) * width);
    for (let query = 0; query * of < rows.length; query += 1) {
      const near = rows.subarray(query * of, query * of + k);
      forecasts.set(
        meanOf(
          Array.from(near, (place) => futureOf(known[place] as number)),
          meanFuture,
        ),
        query * width,
      );
    }
    return { score: (query, truth) => score(forecasts, query * width, truth) };
  };
  return {
    ks: numbersOfNeighbours(known.length),
    answers: ({ rows, k: of }, ks) => ks.map((k) => answerOf(rows, { k, of })),
    worth: (place, truth) => {
      const future = futureOf(known[place] as number);
      return score(
        future.map((value, at) => (Number.isNaN(value) ? (meanFuture[at] as number) : value)),
        0,
        truth,
      );
    },
    baseline: { score: (_query, truth) => score(meanFuture, 0, truth) },
  };
}

/** Value by value, of those that were measured. */
function meanOf(futures: readonly Float32Array[], otherwise: Float32Array): Float32Array {
  const mean = new Float32Array(otherwise.length);
  for (let at = 0; at < mean.length; at += 1) {
    let [sum, measured] = [0, 0];
    for (const future of futures) {
      const value = future[at] as number;
      if (Number.isNaN(value)) continue;
      sum += value;
      measured += 1;
    }
    mean[at] = measured === 0 ? (otherwise[at] as number) : sum / measured;
  }
  return mean;
}

/** Of the differences from what was measured. */
function meanSquare(
  forecast: Float32Array,
  at: number,
  truth: Float32Array,
  { from, length }: { readonly from: number; readonly length: number },
): number {
  let sum = 0;
  let measured = 0;
  for (let offset = 0; offset < length; offset += 1) {
    const gap = (forecast[at + offset] as number) - (truth[from + offset] as number);
    if (Number.isNaN(gap)) continue;
    sum += gap * gap;
    measured += 1;
  }
  return sum / measured;
}

/** Each channel divided by the root of the mean future's mean squared error; one that always goes alike stays as it is. */
function inUnits({ values, width, channels }: FutureTable, known: Int32Array): Float32Array {
  const futures = Array.from(known, (row) => values.subarray(row * width, (row + 1) * width));
  const meanFuture = meanOf(futures, new Float32Array(width));
  const squares = new Float64Array(channels);
  const counts = new Int32Array(channels);
  for (const future of futures) {
    for (const [at, value] of future.entries()) {
      if (Number.isNaN(value)) continue;
      const channel = at % channels;
      squares[channel] = (squares[channel] as number) + (value - (meanFuture[at] as number)) ** 2;
      counts[channel] = (counts[channel] as number) + 1;
    }
  }
  const units = squares.map((sum, channel) => Math.sqrt(sum / (counts[channel] as number)) || 1);
  return values.map((value, at) => value / (units[at % channels] as number));
}
