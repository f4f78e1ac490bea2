import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { MedleyError } from "@medley/core";
import type { SeriesValue } from "@medley/models";
import type { TrainedTensors, TrainingStep } from "../engine/index.ts";
import { Random } from "../random.ts";
import type { TrainedModel } from "../trained-model.ts";
import { principalComponents } from "./principal-components.ts";
import { openTraining, type SeriesModel, SeriesSession, servedModel } from "./series-model.ts";
import { type SeriesTrainingOptions, settingsOf } from "./series-options.ts";
import { SeriesWindows, shuffledBatches } from "./windows.ts";

/** Windows that the embedding's axes are found from. */
const embeddedWindowsMax = 2_048;

/**
 * Trains a forecaster of series and makes an encoder of it: its latent vector of a window, reduced to `dimensions` along the
 * directions in which the training windows differ most. The epoch with the lowest validation error is kept; test windows are
 * looked at once, at the end.
 *
 * One `model.onnx` has `embedding` [batch, dimensions] and `forecast` [batch, horizon, channels] (scaled: times the manifest's
 * deviations plus its means). Metrics: `validation/mse`, `test/mse` and so on, in scaled units as in the papers, and the number of
 * windows of each part. Throws `training_data_invalid` where the series don't give windows.
 */
export async function trainSeries(
  series: readonly SeriesValue[],
  options: SeriesTrainingOptions,
): Promise<TrainedModel> {
  const { kind, dimensions, seed, onProgress } = options;
  assert(Number.isSafeInteger(dimensions) && dimensions > 0, "dimensions of the embedding");
  const threads = options.threads ?? availableParallelism();
  const settings = settingsOf(options);
  const stepMs = settings.stepMs === undefined ? medianStepMs(series) : settings.stepMs;
  const windows = new SeriesWindows(series, { ...settings, stepMs, seed });
  const model: SeriesModel = { kind, size: settings, manifest: windows.manifest };
  const found = await trainEpochs(model, windows, { ...options, settings, threads });

  const { counts } = windows;
  const picked = new Random(seed)
    .shuffle(Int32Array.from({ length: counts.train }, (_, at) => at))
    .slice(0, embeddedWindowsMax);
  await using latents = await SeriesSession.open(servedModel(model, found.trained), { threads });
  const rows = await latents.outputs(windows, "train", "latent", picked);
  const features = rows.length / picked.length;
  const served = servedModel(model, found.trained, principalComponents(rows, { features, dimensions, seed }));
  await using session = await SeriesSession.open(served, { threads });
  onProgress?.({ stage: "test", done: 0, total: counts.test, unit: "windows" });
  const test = counts.test === 0 ? null : await session.errors(windows, "test");
  return {
    manifest: { kind, dimensions, ...windows.manifest },
    files: new Map([["model.onnx", served]]),
    metrics: {
      "train/windows": counts.train,
      "validation/windows": counts.validation,
      "validation/mse": found.validation.mse,
      "validation/mae": found.validation.mae,
      ...(test === null ? {} : { "test/windows": counts.test, "test/mse": test.mse, "test/mae": test.mae }),
    },
    curves: [
      { name: "train/mse", points: found.trainErrors },
      { name: "validation/mse", points: found.validationErrors },
    ],
  };
}

interface Fitted {
  readonly trained: TrainedTensors;
  readonly validation: { readonly mse: number; readonly mae: number };
  readonly trainErrors: { step: number; value: number }[];
  readonly validationErrors: { step: number; value: number }[];
}

async function trainEpochs(
  model: SeriesModel,
  windows: SeriesWindows,
  options: SeriesTrainingOptions & { settings: ReturnType<typeof settingsOf>; threads: number },
): Promise<Fitted> {
  const { settings, seed, threads, signal } = options;
  await using step = await openTraining(model, { batchWindows: settings.batchWindows, seed, threads });
  const random = new Random(seed);
  let best: Pick<Fitted, "trained" | "validation"> | null = null;
  let bestEpoch = 0;
  const [trainErrors, validationErrors]: [Fitted["trainErrors"], Fitted["trainErrors"]] = [[], []];
  for (let epoch = 1; epoch <= settings.epochsMax && epoch - bestEpoch <= settings.patience; epoch += 1) {
    const learningRate = settings.learningRate * settings.decayPerEpoch ** (epoch - 1);
    const loss = await trainEpoch(step, windows, { ...options, epoch, learningRate, random });
    trainErrors.push({ step: epoch, value: loss });
    if (signal?.aborted && best !== null) break;
    const trained = step.trained();
    await using session = await SeriesSession.open(servedModel(model, trained), { threads });
    const validation = await session.errors(windows, "validation");
    validationErrors.push({ step: epoch, value: validation.mse });
    if (best === null || validation.mse < best.validation.mse)
      [best, bestEpoch] = [{ trained, validation }, epoch];
  }
  assert(best, "at least one epoch");
  return { ...best, trainErrors, validationErrors };
}

/** The mean loss of its steps; ends early where the training is told to. */
async function trainEpoch(
  step: TrainingStep,
  windows: SeriesWindows,
  {
    settings: { batchWindows },
    signal,
    onProgress,
    epoch,
    learningRate,
    random,
  }: SeriesTrainingOptions & {
    settings: ReturnType<typeof settingsOf>;
    epoch: number;
    learningRate: number;
    random: Random;
  },
): Promise<number> {
  const total = Math.ceil(windows.counts.train / batchWindows);
  let [done, sum] = [0, 0];
  for (const numbers of shuffledBatches(windows.counts.train, batchWindows, random)) {
    if (signal?.aborted && done > 0) break;
    const { inputs, targets, weights } = windows.batch("train", numbers);
    const { loss } = await step.train({ ...inputs, targets, weights }, learningRate);
    [done, sum] = [done + 1, sum + loss];
    onProgress?.({ stage: `epoch ${epoch}`, done, total, unit: "steps", loss });
  }
  return sum / done;
}

/** The median distance of two readings, in whole milliseconds; null where some series has no times. */
function medianStepMs(series: readonly SeriesValue[]): number | null {
  const distances = series.flatMap(({ times }) =>
    (times ?? []).slice(1).map((time, at) => time - (times?.[at] as number)),
  );
  if (distances.length === 0 || series.some(({ times }) => times === null)) return null;
  const median = distances.sort((a, b) => a - b)[Math.floor(distances.length / 2)] as number;
  if (median >= 1) return Math.round(median);
  throw new MedleyError("training_data_invalid", "the series' times do not rise", {
    mend: "give each reading the milliseconds since 1970 at which it was made, in order",
  });
}
