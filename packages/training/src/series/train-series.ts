import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { Random } from "@medley/core";
import type { Batch, TrainedTensors } from "../engine/index.ts";
import { AveragedStep } from "../fit/averaged-step.ts";
import { CheckpointFolder } from "../fit/checkpoint.ts";
import { type Fitted, fitEpochs } from "../fit/fit.ts";
import { halvedEachEpoch } from "../fit/schedule.ts";
import { sampleItems } from "../reservoir.ts";
import type { TrainedModel } from "../trained-model.ts";
import { principalComponents } from "./principal-components.ts";
import {
  openTraining,
  type SeriesModel,
  SeriesSession,
  servedModel,
  validationErrors,
} from "./series-model.ts";
import { type SeriesSettings, type SeriesTrainingOptions, settingsOf, settleOn } from "./series-options.ts";
import { isLinear, solveForecaster } from "./solve-forecaster.ts";
import { type RecordSeries, SeriesWindows, shuffledBatches } from "./windows.ts";

/** Windows that the embedding's axes are found from. */
const embeddedWindowsMax = 2_048;

/**
 * What is kept is a mean, in which a step counts e^-2 of one that comes an epoch later: on ETTh1 .993. Of .97, .99, .995, .998 and no mean,
 * .99 and .995 have the lowest validation error there.
 */
const averageDecayOf = (stepsPerEpoch: number) => Math.exp(-2 / stepsPerEpoch);

/**
 * Trains a forecaster of series and makes an encoder of it: its latent vector of a window, reduced to `dimensions` along the
 * directions in which the training windows differ most. Linear forecasters are solved (solve-forecaster.ts), the others learn by steps, of
 * which a mean is taken (averaged-step.ts), and the epoch whose mean has the lowest validation error is kept; test windows are looked at
 * once, at the end.
 *
 * One `model.onnx` has `embedding` [batch, dimensions] and `forecast` [batch, horizon, channels] (scaled: times the manifest's
 * deviations plus its means). Metrics: `validation/mse`, `test/mse` and so on, in scaled units as in the papers, and the number of
 * windows of each part. Throws `training_data_invalid` where the series don't give windows, or are not of the same channels: names
 * the record of the first that isn't, where it is given.
 */
export async function trainSeries(
  given: Iterable<RecordSeries> | AsyncIterable<RecordSeries>,
  options: SeriesTrainingOptions,
): Promise<TrainedModel> {
  const { kind, dimensions, seed, signal, onProgress } = options;
  assert(Number.isSafeInteger(dimensions) && dimensions > 0, "dimensions of the embedding");
  const threads = options.threads ?? availableParallelism();
  const set = settingsOf(options);
  const series = await sampleItems(given, { itemsMax: set.seriesMax, random: new Random(seed), signal });
  const settings = settleOn(set, series);
  const windows = new SeriesWindows(series, { ...settings, seed });
  const model: SeriesModel = { kind, sizes: settings, manifest: windows.manifest };
  const { trained, metrics, curves } = isLinear(kind)
    ? await solveForecaster(model, windows, { threads, signal, onProgress })
    : await trainEpochs(model, windows, { ...options, settings, threads });
  const served = await encoderOf(model, trained, windows, { dimensions, seed, threads });
  await using session = await SeriesSession.open(served, { threads });
  const { counts } = windows;
  onProgress?.({ stage: "test", done: 0, total: counts.test, unit: "windows" });
  const test = counts.test === 0 ? null : await session.errors(windows, "test");
  return {
    manifest: { kind, dimensions, ...windows.manifest },
    files: new Map([["model.onnx", served]]),
    metrics: {
      ...metrics,
      ...(test === null ? {} : { "test/mse": test.mse, "test/mae": test.mae }),
      "train/windows": counts.train,
      "validation/windows": counts.validation,
      "test/windows": counts.test,
    },
    curves,
  };
}

/** The model with its embedding: the axes are found from the latent vectors of training windows. */
async function encoderOf(
  model: SeriesModel,
  trained: TrainedTensors,
  windows: SeriesWindows,
  { dimensions, seed, threads }: { dimensions: number; seed: number; threads: number },
): Promise<Uint8Array> {
  const order = Int32Array.from({ length: windows.counts.train }, (_, at) => at);
  const picked = new Random(seed).shuffle(order).slice(0, embeddedWindowsMax);
  await using session = await SeriesSession.open(servedModel(model, trained), { threads });
  const rows = await session.outputs(windows, "train", "latent", picked);
  const features = rows.length / picked.length;
  return servedModel(model, trained, principalComponents(rows, { features, dimensions, seed }));
}

type Training = SeriesTrainingOptions & {
  readonly settings: SeriesSettings;
  readonly threads: number;
};

async function trainEpochs(
  model: SeriesModel,
  windows: SeriesWindows,
  { settings, threads, device, seed, signal, onProgress, checkpoints }: Training,
): Promise<Fitted & { readonly trained: TrainedTensors }> {
  const { batchWindows, learningRate, epochsMax, patience } = settings;
  await using learner = await openTraining(model, { batchWindows, seed, threads, device });
  const stepsPerEpoch = Math.ceil(windows.counts.train / batchWindows);
  const decay = averageDecayOf(stepsPerEpoch);
  const step = new AveragedStep(learner, { decay });
  // The scaler and the number of windows stand for the data.
  const { kind, manifest } = model;
  const identity = JSON.stringify({ kind, manifest, settings, decay, seed, counts: windows.counts });
  const fitted = await fitEpochs({
    step,
    batches: (random) => trainingBatches(windows, batchWindows, random),
    stepsPerEpoch,
    epochsMax,
    schedule: halvedEachEpoch(learningRate),
    seed,
    validation: {
      run: () => validationErrors(model, step.trained(), windows, threads),
      by: "validation/mse",
      better: "lower",
      patience,
    },
    ...(checkpoints === undefined ? {} : { checkpoint: new CheckpointFolder(checkpoints, { identity }) }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { ...fitted, trained: step.trained() };
}

function* trainingBatches(windows: SeriesWindows, rows: number, random: Random): Generator<Batch> {
  for (const numbers of shuffledBatches(windows.counts.train, rows, random)) {
    const { inputs, targets, weights } = windows.batch("train", numbers);
    yield { ...inputs, targets, weights };
  }
}
