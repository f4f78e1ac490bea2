import { MedleyError } from "@medley/core";
import type { SeriesValue } from "@medley/models";
import type { TrainingOptions } from "../progress.ts";
import { movingAverageSteps } from "./decomposition.ts";
import type { ForecasterSize, SeriesKind } from "./forecaster.ts";
import type { SeriesSplit } from "./split.ts";

export interface SeriesTrainingOptions extends TrainingOptions, Partial<SeriesSettings> {
  readonly kind: SeriesKind;
  /** Of the embedding. */
  readonly dimensions: number;
  /** A folder for checkpoints, from which a training that was cut off goes on. */
  readonly checkpoints?: string;
}

/** What may be set beside the kind. */
export interface SeriesSettings extends ForecasterSize {
  /** Steps that the model looks at. */
  readonly lookback: number;
  /** Steps that it forecasts. Left out: as many as half of the series have after a look-back, at most a look-back. */
  readonly horizon: number;
  /** Steps between the windows that are learned from. */
  readonly stride: number;
  /** Null: each reading is a step. Left out: the median distance of readings, where they have times. */
  readonly stepMs: number | null;
  /** Whether Autoformer and Informer are told hour, weekday and date of each step, in UTC. */
  readonly calendar: boolean;
  readonly split: SeriesSplit;
  /** A window of which more is missing is neither learned from nor embedded. */
  readonly missingShareMax: number;
  /** More series than these are sampled. */
  readonly seriesMax: number;
  /** This and what follows: of forecasters that learn by steps. */
  readonly batchWindows: number;
  /** Of the first epoch; halved in each further one, as published. */
  readonly learningRate: number;
  readonly epochsMax: number;
  /** Epochs without a better validation error before the training ends. */
  readonly patience: number;
}

/** Of the papers and their published code, but for the heads, which are 8 there, and the width, which is 512. */
const shared = {
  kernel: movingAverageSteps,
  heads: 4,
  encoderLayers: 2,
  decoderLayers: 1,
  labelSteps: 48,
  segments: 8,
  lookback: 96,
  stride: 1,
  split: { shares: [0.7, 0.1, 0.2] },
  missingShareMax: 0.5,
  seriesMax: 100_000,
  batchWindows: 32,
  patience: 3,
} as const;

type OfKind = "width" | "dropout" | "factor" | "learningRate" | "epochsMax" | "calendar" | "centred";

/** Linear forecasters, which learn by no steps: only `centred` means something to them. */
const solved = {
  width: 32,
  dropout: 0.05,
  factor: 1,
  learningRate: 5e-3,
  epochsMax: 10,
  calendar: false,
  centred: false,
} as const;

/** By the validation error of ETTh1 (96 hours ahead) where it is not as published: Autoformer's width and dropout, Informer's rate, calendar and centring. */
const ofKind: Readonly<Record<SeriesKind, Pick<SeriesSettings, OfKind>>> = {
  autoformer: {
    width: 64,
    dropout: 0.1,
    factor: 1,
    learningRate: 1e-3,
    epochsMax: 4,
    calendar: true,
    centred: false,
  },
  dlinear: solved,
  informer: {
    width: 32,
    dropout: 0.05,
    factor: 5,
    learningRate: 5e-4,
    epochsMax: 6,
    calendar: true,
    centred: true,
  },
  nlinear: solved,
};

/** The width that the papers use: `{ ...paperSize }` makes a model of 10 to 11 million parameters. */
export const paperSize = { width: 512, hiddenWidth: 2048, heads: 8, learningRate: 1e-4 } as const;

/** What follows from the series where it is not given. */
type FromSeries = "horizon" | "stepMs";
export type GivenSettings = Omit<SeriesSettings, FromSeries> & Partial<Pick<SeriesSettings, FromSeries>>;

/** Everything that is not given by its default, but for what follows from the series. */
export function settingsOf(options: SeriesTrainingOptions): GivenSettings {
  const { kind, dimensions, seed, threads, device, signal, onProgress, checkpoints, ...settings } = options;
  // Wider where an embedding has more dimensions than so many segments of it.
  const width = options.width ?? Math.max(ofKind[kind].width, 8 * Math.ceil(dimensions / 64));
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  return { ...shared, ...ofKind[kind], width, hiddenWidth: 4 * width, sampleSeed: seed, ...given };
}

/** All settings, those that the options leave out by what the series are. */
export function settleOn(settings: GivenSettings, series: readonly SeriesValue[]): SeriesSettings {
  const { lookback } = settings;
  const stepMs = settings.stepMs === undefined ? medianStepMs(series) : settings.stepMs;
  const steps = series.map(({ times, values }) => {
    const last = times?.at(-1);
    if (stepMs === null || times === null || last === undefined) return values.length;
    return Math.floor((last - (times[0] as number)) / stepMs) + 1;
  });
  const after = (median(steps) ?? 0) - lookback;
  // A series that is all look-back gives up its last quarter to be forecast: its window then begins with missing steps.
  const fitting = after > 0 ? Math.min(lookback, after) : Math.max(1, Math.floor(lookback / 4));
  return { ...settings, stepMs, horizon: settings.horizon ?? fitting };
}

/** The median distance of two readings, in whole milliseconds; null where some series has no times. */
function medianStepMs(series: readonly SeriesValue[]): number | null {
  if (series.some(({ times }) => times === null)) return null;
  const distance = median(
    series.flatMap(({ times }) => (times ?? []).slice(1).map((time, at) => time - (times?.[at] as number))),
  );
  if (distance === undefined) return null;
  if (distance >= 1) return Math.round(distance);
  throw new MedleyError("training_data_invalid", "the series' times do not rise", {
    mend: "give each reading the milliseconds since 1970 at which it was made, in order",
  });
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
