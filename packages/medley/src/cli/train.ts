import { relative } from "node:path";
import { MedleyError } from "@medley/core";
import { chooseDevice, type DeviceChoice } from "@medley/models";
import { epochsSetting, parseSettings, trainerOf } from "@medley/training";
import { type TrainedSpace, trainSpace } from "../train/train-space.ts";
import { spaceNamed } from "../train/training-space.ts";
import { type Context, configOf, settingsOf } from "./context.ts";
import { checkMlflowUrl, tellMlflow } from "./mlflow.ts";
import { type Outcome, table } from "./output.ts";
import { count, duration } from "./progress.ts";
import { openRecordsFrom } from "./records-from.ts";
import { TrainingLine } from "./training-line.ts";

export interface TrainArguments {
  readonly from?: string;
  readonly seed?: number;
  readonly set: readonly string[];
  readonly epochs?: number;
  readonly resume?: string;
  /** Of a tracking server. */
  readonly mlflow?: string;
  readonly threads: number;
  readonly device: DeviceChoice;
}

/** `medley train COLLECTION.SPACE`: exit code 130 where it was ended early; what was best by then is pinned all the same. */
export async function trainCommand(context: Context, place: string, given: TrainArguments): Promise<Outcome> {
  const config = await configOf(context);
  const training = spaceNamed(config.collections, place);
  const trainer = trainerOf(training.space, place);
  const epochs = given.epochs === undefined ? [] : [epochsSetting(trainer.settings, given.epochs)];
  const settings = parseSettings(trainer.settings, [...given.set, ...epochs]);
  if (given.mlflow !== undefined) checkMlflowUrl(given.mlflow);
  const device = await chooseDevice(given.device);
  const startedMs = performance.now();
  await using resources = new AsyncDisposableStack();
  const records = await openRecordsFrom(context, { ...training, ...given, resources });
  const progress = new TrainingLine(place);
  resources.defer(async () => progress.stop());
  let run = "";
  try {
    const trained = await trainSpace({
      ...training,
      lockFile: config.lock.file as string,
      records,
      models: { environment: settingsOf(context).environment, lock: config.lock },
      seed: given.seed,
      settings,
      threads: given.threads,
      device,
      ...(given.resume === undefined ? {} : { resume: given.resume }),
      signal: context.signal,
      onRun: (id) => {
        run = id;
        process.stderr.write(`run ${id}: ${place} on ${records.name}\n`);
      },
      onProgress: (state) => progress.update(state),
    });
    progress.stop();
    const seconds = (performance.now() - startedMs) / 1000;
    if (given.mlflow !== undefined) await tellMlflow(trained.run, given.mlflow);
    return outcomeOf(trained, { context, place, seconds });
  } catch (error) {
    progress.stop();
    if (!context.signal.aborted || error instanceof MedleyError) throw error;
    const text = `interrupted before there was anything to keep${run === "" ? "" : ` (run ${run})`}`;
    return { exitCode: 130, data: { space: place, run: run || null, artefact: null }, text };
  }
}

function outcomeOf(
  { run, directory, replaced, note, servedDifference, skipped }: TrainedSpace,
  { context, place, seconds }: { context: Context; place: string; seconds: number },
): Outcome {
  const { id, state, data: trainedOn } = run.record;
  const path = relative(context.directory, directory);
  const isInterrupted = state === "interrupted";
  const metrics = Object.entries(run.metrics).map(([name, value]) => [name, Number(value.toPrecision(5))]);
  const lines = [
    `${place}: run ${id} ${isInterrupted ? "ended early, with what was best so far" : "done"} in ${duration(seconds)}, on ${count(trainedOn.count)} records`,
    ...(skipped.count === 0
      ? []
      : [`${count(skipped.count)} records could not be read and were left out; the first: ${skipped.first}`]),
    ...(metrics.length === 0 ? [] : [table(["metric", "value"], metrics)]),
    servedDifference === null
      ? `${path}, pinned in medley.lock.json`
      : `${path}, pinned in medley.lock.json; served as it was trained, to ${servedDifference.toExponential(0)}`,
    ...(note === null ? [] : [note]),
  ];
  const data = {
    space: place,
    run: id,
    state,
    records: trainedOn.count,
    skipped: skipped.count,
    seconds,
    metrics: run.metrics,
    artefact: path,
    replaced,
    servedDifference,
  };
  return { exitCode: isInterrupted ? 130 : 0, data, text: lines.join("\n") };
}
