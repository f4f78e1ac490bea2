import {
  type BootstrapInterval,
  encodeValues,
  nearestNeighbours,
  pairedBootstrap,
  trainSeries,
  type VectorTable,
} from "@medley/training";
import { type EttFile, type EttSeries, ettSplit, readEtt } from "../ett.ts";
import type { Measurement } from "../measurement.ts";

const hoursPerMonth = 30 * 24;
const lookback = 96;
const hoursAhead = 24;
const dimensions = 64;
const k = 15;
/** A window every three hours. */
const strideHours = 3;
const seeds = [1, 2, 3];

/**
 * Whether windows that are near each other are followed by the like: a window's label is the day after it, all seven readings of 24
 * hours. Each test window asks its 15 nearest training windows for the mean of their labels, once by DLinear's embeddings and once by
 * the windows themselves: scaled, by angle and by distance, and scaled and less their own means.
 */
export async function run(): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const file of ["ETTh1", "ETTh2"] as const) measurements.push(await compare(file));
  return measurements;
}

async function compare(file: EttFile): Promise<Measurement> {
  const series = readEtt(file);
  const known = endsOf(lookback, 12 * hoursPerMonth);
  const asked = endsOf(16 * hoursPerMonth, 20 * hoursPerMonth);
  const errors = {
    embedded: [] as number[],
    angle: [] as number[],
    distance: [] as number[],
    centred: [] as number[],
  };
  const gains: BootstrapInterval[] = [];
  for (const seed of seeds) {
    const model = await trainSeries([series], {
      ...{ kind: "dlinear", dimensions, seed, threads: 1, lookback, horizon: hoursAhead, split: ettSplit },
    });
    const scaled = scaledBy(model.manifest as never, series);
    const ask = (table: VectorTable, queries: VectorTable) => {
      const { rows } = nearestNeighbours(table, queries, { k });
      return asked.map((end, at) => {
        const ends = Array.from(rows.subarray(at * k, (at + 1) * k), (row) => known[row] as number);
        return squaredError(scaled, end, ends);
      });
    };
    const windows = (ends: readonly number[]) => encodeValues(model, windowsOf(series, ends));
    const embedded = ask(await windows(known), await windows(asked));
    const raw = (["angle", "distance", "centred"] as const).map((by) => {
      const scores = ask(rawWindows(scaled, known, by), rawWindows(scaled, asked, by));
      errors[by].push(meanOf(scores));
      return scores;
    });
    errors.embedded.push(meanOf(embedded));
    const best = raw.toSorted((a, b) => meanOf(a) - meanOf(b))[0] as number[];
    gains.push(pairedBootstrap(byDay(best), byDay(embedded), { seed }));
  }
  const gain = meanOf(gains.map(({ difference }) => difference));
  return {
    name: `window embeddings over raw windows, ${file}, the day after the ${k} nearest, MSE saved`,
    value: gain,
    goal: "above 0, and so is the interval of each seed",
    met: gains.every(({ isGain }) => isGain),
    detail:
      `MSE of DLinear's ${dimensions} dimensions ${meanOf(errors.embedded).toFixed(4)}, of scaled windows of ${lookback} x 7 ` +
      `${meanOf(errors.angle).toFixed(4)} by angle, ${meanOf(errors.distance).toFixed(4)} by distance, less their own means ${meanOf(errors.centred).toFixed(4)}; the label is the next 24 hours of all ` +
      `seven readings, ${known.length} training and ${asked.length} test windows, ${seeds.length} seeds; 95 % interval of what is saved on ` +
      `the best raw windows, over days, per seed: ${gains.map(({ low, high }) => `${low.toFixed(4)} to ${high.toFixed(4)}`).join(", ")}`,
  };
}

/** Between the day after `end` and the mean of the days after `neighbours`, over its hours and readings. */
function squaredError(scaled: readonly number[][], end: number, neighbours: readonly number[]): number {
  const errors = Array.from({ length: hoursAhead }, (_, hour) =>
    (scaled[end + hour] as number[]).map((value, channel) => {
      const mean = meanOf(neighbours.map((one) => scaled[one + hour]?.[channel] as number));
      return (value - mean) ** 2;
    }),
  );
  return meanOf(errors.flat());
}

/** Means of each day's windows: they overlap, so that days are drawn, not windows. */
function byDay(scores: readonly number[]): number[] {
  const perDay = 24 / strideHours;
  return Array.from({ length: Math.floor(scores.length / perDay) }, (_, day) =>
    meanOf(scores.slice(day * perDay, (day + 1) * perDay)),
  );
}

function endsOf(from: number, to: number): number[] {
  const count = Math.floor((to - hoursAhead - from) / strideHours) + 1;
  return Array.from({ length: count }, (_, at) => from + at * strideHours);
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function windowsOf({ times, values }: EttSeries, ends: readonly number[]): EttSeries[] {
  return ends.map((end) => ({
    times: times.slice(end - lookback, end),
    values: values.slice(end - lookback, end),
  }));
}

/** By the model's own means and deviations, which are those of the training months. */
function scaledBy(
  { means, deviations }: { means: number[]; deviations: number[] },
  { values }: EttSeries,
): number[][] {
  return values.map((reading) =>
    reading.map((value, channel) => (value - (means[channel] as number)) / (deviations[channel] as number)),
  );
}

/** Rows to be compared by their angle; beside a constant that is much longer than they are that is their distance. */
function rawWindows(
  scaled: readonly number[][],
  ends: readonly number[],
  by: "angle" | "distance" | "centred",
): VectorTable {
  const channels = (scaled[0] as number[]).length;
  const windows = ends.map((end) => scaled.slice(end - lookback, end));
  const centre = (window: readonly number[][], channel: number) =>
    by === "centred" ? meanOf(window.map((reading) => reading[channel] as number)) : 0;
  const rest = by === "distance" ? [100 * Math.sqrt(lookback * channels)] : [];
  const values = windows.flatMap((window) => {
    const centres = Array.from({ length: channels }, (_, channel) => centre(window, channel));
    const numbers = window.flatMap((reading) =>
      reading.map((value, channel) => value - (centres[channel] as number)),
    );
    return [...numbers, ...rest];
  });
  return { values: Float32Array.from(values), dimensions: lookback * channels + rest.length };
}
