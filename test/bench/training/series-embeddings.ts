import {
  type BootstrapInterval,
  classifyByNeighbours,
  encodeValues,
  pairedBootstrap,
  type TrainedModel,
  trainSeries,
  type VectorTable,
} from "@medley/training";
import { type EttSeries, ettSplit, readEtt } from "../ett.ts";
import type { Measurement } from "../measurement.ts";

const hoursPerMonth = 30 * 24;
const lookback = 96;
const hoursAhead = 24;
/** HUFL, HULL, MUFL, MULL, LUFL, LULL. */
const loads = [0, 1, 2, 3, 4, 5];
/** A window every three hours. */
const strideHours = 3;
const seeds = [1, 2, 3];

/**
 * Whether windows that are near each other are followed by the like: will each of the six loads be high on the day after a window,
 * above the median of the days after training windows? Each test window asks its 15 nearest training windows, once by embeddings
 * and once by the scaled windows themselves; the score is the share of the six answers that is right.
 */
export async function run(): Promise<Measurement[]> {
  const series = readEtt("ETTh1");
  const known = endsOf(lookback, 12 * hoursPerMonth);
  const asked = endsOf(16 * hoursPerMonth, 20 * hoursPerMonth);
  const tasks = loads.map((load) => {
    const middle = medianOf(known.map((end) => meanAfter(series, end, load)));
    const isHigh = (end: number) => (meanAfter(series, end, load) > middle ? 1 : 0);
    return { labels: known.map(isHigh), truth: asked.map(isHigh) };
  });
  const scoresOf = (table: VectorTable, queries: VectorTable) => {
    const right = tasks.map(({ labels, truth }) =>
      classifyByNeighbours({ known: table, labels, classCount: 2 }, queries).map(
        (one, at) => +(one === truth[at]),
      ),
    );
    return asked.map((_, at) => meanOf(right.map((task) => task[at] as number)));
  };
  const commonest = meanOf(tasks.map(({ truth }) => Math.max(meanOf(truth), 1 - meanOf(truth))));
  const runs: { embedded: number; raw: number; interval: BootstrapInterval }[] = [];
  for (const seed of seeds) {
    const model = await trainSeries([series], {
      kind: "dlinear",
      dimensions: 64,
      seed,
      threads: 1,
      lookback,
      horizon: hoursAhead,
      split: ettSplit,
    });
    const embedded = scoresOf(
      await encodeValues(model, windowsOf(series, known)),
      await encodeValues(model, windowsOf(series, asked)),
    );
    const raw = scoresOf(rawWindows(series, known, model), rawWindows(series, asked, model));
    const interval = pairedBootstrap(byDay(embedded), byDay(raw), { seed });
    runs.push({ embedded: meanOf(embedded), raw: meanOf(raw), interval });
  }
  const gain = meanOf(runs.map(({ interval }) => interval.difference));
  return [
    {
      name: "window embeddings over raw windows, high or low loads of the next day, accuracy gained",
      value: gain,
      goal: "above 0, and so is the interval of each seed",
      met: runs.every(({ interval }) => interval.isGain),
      detail:
        `ETTh1: DLinear's 64 dimensions ${meanOf(runs.map((one) => one.embedded)).toFixed(4)}, scaled windows of ${lookback} x 7 ` +
        `${meanOf(runs.map((one) => one.raw)).toFixed(4)}, always the commoner answer ${commonest.toFixed(4)}; six loads, 15 nearest of ` +
        `${known.length} training windows, ${asked.length} test windows; 95 % interval of the gain over days, per seed, ` +
        runs.map(({ interval: { low, high } }) => `${low.toFixed(4)} to ${high.toFixed(4)}`).join(", "),
    },
  ];
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

function meanAfter({ values }: EttSeries, end: number, load: number): number {
  return meanOf(values.slice(end, end + hoursAhead).map((reading) => reading[load] as number));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function windowsOf({ times, values }: EttSeries, ends: readonly number[]): EttSeries[] {
  return ends.map((end) => ({
    times: times.slice(end - lookback, end),
    values: values.slice(end - lookback, end),
  }));
}

function rawWindows(series: EttSeries, ends: readonly number[], { manifest }: TrainedModel): VectorTable {
  const { means, deviations } = manifest as unknown as { means: number[]; deviations: number[] };
  const channels = means.length;
  const scaled = windowsOf(series, ends).flatMap(({ values }) =>
    values.flatMap((reading) =>
      reading.map((value, channel) => (value - (means[channel] as number)) / (deviations[channel] as number)),
    ),
  );
  return { values: Float32Array.from(scaled), dimensions: lookback * channels };
}
