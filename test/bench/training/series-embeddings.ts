import {
  classifyByNeighbours,
  classReport,
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
const oilTemperature = 6;
/** A window every three hours. */
const strideHours = 3;
const classCount = 3;
const seeds = [1, 2, 3];

/**
 * Whether windows that are near each other are followed by the like: the class of a window is whether the mean oil temperature of
 * the day after it is in the lowest, middle or highest third of the training windows'. Test windows are classified by their 15
 * nearest training windows, once by embeddings and once by the scaled windows themselves.
 */
export async function run(): Promise<Measurement[]> {
  const series = readEtt("ETTh1");
  const known = endsOf(lookback, 12 * hoursPerMonth);
  const asked = endsOf(16 * hoursPerMonth, 20 * hoursPerMonth);
  const thirds = thirdsOf(known.map((end) => meanAfter(series, end)));
  const classOf = (end: number) => thirds.filter((border) => meanAfter(series, end) >= border).length;
  const [labels, truth] = [known.map(classOf), asked.map(classOf)];
  const classify = (table: VectorTable, queries: VectorTable) =>
    classifyByNeighbours({ known: table, labels, classCount }, queries);
  const shares: { embedded: number; raw: number; low: number; high: number; isGain: boolean }[] = [];
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
    const embedded = classify(
      await encodeValues(model, windowsOf(series, known)),
      await encodeValues(model, windowsOf(series, asked)),
    );
    const raw = classify(rawWindows(series, known, model), rawWindows(series, asked, model));
    const { low, high, isGain } = pairedBootstrap(byDay(embedded, truth), byDay(raw, truth), { seed });
    const accuracyOf = (predicted: Int32Array) => classReport(truth, predicted, { classCount }).accuracy;
    shares.push({ embedded: accuracyOf(embedded), raw: accuracyOf(raw), low, high, isGain });
  }
  const mean = (figure: "embedded" | "raw") =>
    shares.reduce((sum, share) => sum + share[figure], 0) / shares.length;
  const gain = mean("embedded") - mean("raw");
  return [
    {
      name: "window embeddings over raw windows, next day's oil temperature in thirds, accuracy gained",
      value: gain,
      goal: "above 0, and so is the interval of each seed",
      met: gain > 0 && shares.every(({ isGain }) => isGain),
      detail:
        `DLinear's 64 dimensions ${mean("embedded").toFixed(4)}, scaled windows of ${lookback} x 7 ${mean("raw").toFixed(4)}, 15 nearest ` +
        `of ${known.length} training windows, ${asked.length} test windows; 95 % interval of the gain over days, per seed, ` +
        shares.map(({ low, high }) => `${low.toFixed(4)} to ${high.toFixed(4)}`).join(", "),
    },
  ];
}

/** The share that is right of each day's windows: they overlap, so that days are drawn, not windows. */
function byDay(predicted: Int32Array, truth: readonly number[]): number[] {
  const perDay = 24 / strideHours;
  return Array.from({ length: Math.floor(predicted.length / perDay) }, (_, day) => {
    let right = 0;
    for (let at = day * perDay; at < (day + 1) * perDay; at += 1) if (predicted[at] === truth[at]) right += 1;
    return right / perDay;
  });
}

function endsOf(from: number, to: number): number[] {
  const count = Math.floor((to - hoursAhead - from) / strideHours) + 1;
  return Array.from({ length: count }, (_, at) => from + at * strideHours);
}

function meanAfter({ values }: EttSeries, end: number): number {
  const after = values.slice(end, end + hoursAhead);
  return after.reduce((sum, reading) => sum + (reading[oilTemperature] as number), 0) / after.length;
}

function thirdsOf(means: readonly number[]): number[] {
  const sorted = means.toSorted((a, b) => a - b);
  return [1 / 3, 2 / 3].map((share) => sorted[Math.floor(share * sorted.length)] as number);
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
