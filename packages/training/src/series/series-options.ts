import type { CheckpointFolder } from "../fit/checkpoint.ts";
import type { TrainingOptions } from "../progress.ts";
import { movingAverageSteps } from "./decomposition.ts";
import type { ForecasterSize, SeriesKind } from "./forecaster.ts";
import type { SeriesSplit } from "./split.ts";

export interface SeriesTrainingOptions extends TrainingOptions, Partial<SeriesSettings> {
  readonly kind: SeriesKind;
  /** Of the embedding. */
  readonly dimensions: number;
  /** Where a training that is cut off goes on from. */
  readonly checkpoint?: CheckpointFolder;
}

/** What may be set beside the kind. */
export interface SeriesSettings extends ForecasterSize {
  readonly lookback: number;
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
  readonly batchWindows: number;
  /** Of the first epoch; halved in each further one, as published. */
  readonly learningRate: number;
  readonly epochsMax: number;
  /** Epochs without a better validation error before the training ends. */
  readonly patience: number;
}

/** Of the papers and their published code, but for the width, which is 512 there. */
const shared = {
  kernel: movingAverageSteps,
  heads: 8,
  encoderLayers: 2,
  decoderLayers: 1,
  labelSteps: 48,
  dropout: 0.05,
  segments: 8,
  lookback: 96,
  horizon: 96,
  stride: 1,
  calendar: true,
  split: { shares: [0.7, 0.1, 0.2] },
  missingShareMax: 0.5,
  batchWindows: 32,
  patience: 3,
} as const;

const ofKind: Readonly<
  Record<SeriesKind, Pick<SeriesSettings, "factor" | "learningRate" | "epochsMax" | "calendar">>
> = {
  autoformer: { factor: 1, learningRate: 1e-3, epochsMax: 4, calendar: true },
  dlinear: { factor: 1, learningRate: 1e-3, epochsMax: 10, calendar: false },
  informer: { factor: 5, learningRate: 5e-4, epochsMax: 6, calendar: true },
  nlinear: { factor: 1, learningRate: 1e-3, epochsMax: 10, calendar: false },
};

/** The width that the papers use: `{ ...paperSize }` makes a model of 10 to 11 million parameters. */
export const paperSize = { width: 512, hiddenWidth: 2048, learningRate: 1e-4 } as const;

/** Everything that is not given by its default. */
export function settingsOf(
  options: SeriesTrainingOptions,
): Omit<SeriesSettings, "stepMs"> & { stepMs: number | null | undefined } {
  const { kind, dimensions, seed } = options;
  const width = options.width ?? Math.max(64, 8 * Math.ceil(dimensions / 64));
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return {
    ...shared,
    ...ofKind[kind],
    width,
    hiddenWidth: 4 * width,
    sampleSeed: seed,
    stepMs: undefined,
    ...given,
  };
}
