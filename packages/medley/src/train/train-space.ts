import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isTunedSpace, MedleyError, projectionOf, spaceInput, systemClock } from "@medley/core";
import {
  artefactsFolder,
  checkReduced,
  type Device,
  type LockedArtefact,
  type ModelSpaceDefinition,
  manifestFile,
  openModelRuntime,
  updateLock,
} from "@medley/models";
import type { CollectionEncoders } from "@medley/pipeline";
import {
  checkServed,
  checkTunedServed,
  type DataFingerprint,
  FingerprintBuilder,
  modelCard,
  type Run,
  RunFolder,
  type SettingValue,
  type TrainedModel,
  type Trainer,
  type TrainerOptions,
  type TrainingProgress,
  type TrainingRecord,
  trainerOf,
  writeArtefact,
} from "@medley/training";
import { openEncoders } from "../deployment/open-encoders.ts";
import { artefactOfRun } from "./artefact-of-run.ts";
import { featureRecords, featureSpaces, withFeatures } from "./feature-records.ts";
import { replacedNote } from "./replaced-note.ts";
import { checkData, resumedRun } from "./resumed-run.ts";
import type { TrainingRecords } from "./training-records.ts";
import type { TrainingSpace } from "./training-space.ts";

export interface TrainSpaceOptions extends TrainingSpace {
  /** Runs and artefacts lie beside it. */
  readonly lockFile: string;
  readonly records: TrainingRecords;
  /** Whether they bring the segments that the space is made of. Default: what serves the spaces of these encodes them. */
  readonly hasFeatures?: boolean;
  /** Where pre-trained models are found. */
  readonly models: NonNullable<TrainerOptions["models"]>;
  /** Default: 1. */
  readonly seed?: number | undefined;
  readonly settings: Readonly<Record<string, SettingValue>>;
  readonly threads?: number;
  readonly device: Device;
  /** A run that was ended, to go on with: seed and settings are then its own, and those given must be equal. */
  readonly resume?: string;
  /** What was best so far is kept. */
  readonly signal: AbortSignal;
  readonly onRun: (run: string) => void;
  readonly onProgress: (progress: TrainingProgress) => void;
}

export interface TrainedSpace {
  readonly run: Run;
  readonly directory: string;
  /** Of the artefact that was pinned before; null where there was none. */
  readonly replaced: string | null;
  /** What becomes of rows that it encoded; null where nothing does. */
  readonly note: string | null;
  /** Largest difference between what is served and what was trained, per dimension; null where it isn't compared. */
  readonly servedDifference: number | null;
  readonly skipped: TrainingRecords["skipped"];
}

const seedDefault = 1;
/** In a run's folder, until its artefact is pinned. */
const checkpointsFolder = "checkpoints";
/** Of the values that serving is compared on. */
const samplesMax = 64;

/**
 * Trains one space, or pins what a run that is done has come to: reads the records once to know them and once to train, keeps the run in `runs/<id>/`, writes the artefact
 * to `models/<collection>.<space>/<id>/`, opens it as the worker does, and pins it. Nothing is pinned where anything of it
 * fails, and its run then says "failed", or "interrupted" where the signal came before there was anything to keep. Throws what the trainer
 * throws, `training_data_invalid`, `model_unsupported`, `data_not_writable`, and of a run that can't be gone on with `usage`,
 * `source_changed`, `not_found`, `run_damaged`.
 */
export async function trainSpace(options: TrainSpaceOptions): Promise<TrainedSpace> {
  const { place, space, lockFile, signal, resume } = options;
  const trainer = trainerOf(space, place);
  const root = join(dirname(lockFile), "runs");
  const resumed = resume === undefined ? null : await resumedRun(root, { ...options, resume }, trainer);
  const data = await fingerprintOf(options);
  if (resumed !== null) checkData(resumed, data, place);
  if (resumed !== null && isKept(resumed, { place, root, lockFile })) return await pinKept(options, resumed);
  const folder = await (resumed === null
    ? beginRun(root, options, data)
    : RunFolder.open(root, resumed.record.id));
  options.onRun(folder.run.record.id);
  const samples: unknown[] = [];
  let model: TrainedModel | null = null;
  try {
    model = await train(options, trainer, { folder, samples });
    const state = signal.aborted ? "interrupted" : "done";
    const run = await folder.finish({
      state,
      metrics: model.metrics,
      curves: model.curves,
      split: model.split,
    });
    const trained = await keep(options, { model, run, samples, lockFile });
    // It is pinned, which counts; what can't be removed takes its place on the disk, and nothing else.
    if (state === "done")
      await rm(join(folder.path, checkpointsFolder), { recursive: true, force: true }).catch(() => {});
    return trained;
  } catch (error) {
    // A run whose artefact can't be kept is finished by then, and would go on saying that all is well.
    await folder.finish({ state: signal.aborted && model === null ? "interrupted" : "failed" });
    throw error;
  }
}

async function beginRun(
  root: string,
  { place, space, seed = seedDefault, settings, records }: TrainSpaceOptions,
  data: DataFingerprint,
): Promise<RunFolder> {
  return RunFolder.create(root, {
    ...{ model: place, kind: projectionOf(space.definition)?.by ?? space.definition.encoder, seed, data },
    split: { by: "random", train: data.count, validation: 0, test: 0 },
    parameters: { space: space.definition, settings, records: records.name } as never,
  });
}

/** Whether there is nothing left to do: checkpoints go last, once its artefact has been tried and pinned. */
function isKept(
  { record: { id, state } }: Run,
  { place, root, lockFile }: { place: string; root: string; lockFile: string },
): boolean {
  const isThere = existsSync(join(artefactsFolder(lockFile, place), id, manifestFile));
  return state === "done" && isThere && !existsSync(join(root, id, checkpointsFolder));
}

/** Of a run that is done and has no checkpoints any more: without them it would be trained from its beginning. */
async function pinKept(options: TrainSpaceOptions, run: Run): Promise<TrainedSpace> {
  const { place, space, lockFile } = options;
  const { id } = run.record;
  options.onRun(id);
  const directory = join(artefactsFolder(lockFile, place), id);
  const artefact = await artefactOfRun(id, { place, definition: space.definition, directory });
  return pin(options, { run, directory, artefact, servedDifference: null });
}

async function train(
  options: TrainSpaceOptions,
  trainer: Trainer,
  { folder, samples }: { folder: RunFolder; samples: unknown[] },
): Promise<TrainedModel> {
  const { space, records, models, threads, device, signal, onProgress } = options;
  const { record, parameters } = folder.run;
  await using resources = new AsyncDisposableStack();
  const features = await openFeatures(options, resources);
  const read =
    features === null
      ? records.read()
      : withFeatures(featureRecords(records.read(), space, { seed: record.seed, signal }), features, signal);
  const isProjected = projectionOf(space.definition) !== undefined;
  return await trainer.train(sampling(read, options, samples), {
    space,
    ...(isProjected ? { featuresEncoder: features?.layout[0]?.encoderIdentity as string } : {}),
    seed: record.seed,
    settings: (parameters.settings ?? {}) as Readonly<Record<string, SettingValue>>,
    models,
    device,
    signal,
    onProgress,
    ...(threads === undefined ? {} : { threads }),
    ...(trainer.resumes ? { checkpoints: join(folder.path, checkpointsFolder) } : {}),
  });
}

/** The encoders of the spaces that the trained one is made from; null where it names none. */
async function openFeatures(
  { place, collection, space, models, threads, device, hasFeatures = false }: TrainSpaceOptions,
  resources: AsyncDisposableStack,
): Promise<CollectionEncoders | null> {
  const spaces = featureSpaces(space, collection.spaces);
  if (spaces.length === 0 || hasFeatures) return null;
  const runtime = resources.use(
    openModelRuntime({ ...models, device, ...(threads === undefined ? {} : { threads }) }),
  );
  const part = { ...collection, spaces };
  const options = { runtime, clock: systemClock, environment: models.environment, resources };
  const opened = (await openEncoders(new Map([[part.name, part]]), options)).get(part.name);
  if (opened === undefined) throw new TypeError("the collection's encoders are open");
  const projection = projectionOf(space.definition);
  if (projection !== undefined) checkReduced(place, projection.to, opened.dimensions);
  return opened;
}

/** A pass over the records: how many there are, and a hash of what they hold that counts for the space. */
async function fingerprintOf(options: TrainSpaceOptions): Promise<DataFingerprint> {
  const { place, records, onProgress, signal } = options;
  const builder = new FingerprintBuilder(records.name);
  let done = 0;
  for await (const record of records.read()) {
    signal.throwIfAborted();
    builder.add(record.id, JSON.stringify(record.fields));
    done += 1;
    onProgress({ stage: "reading", done, total: 0, unit: "records" });
  }
  const { count, first } = records.skipped;
  if (done > 0) return builder.finish();
  throw new MedleyError(
    "training_data_invalid",
    `${records.name} holds no record to train ${place} on${count === 0 ? "" : `; ${count} can't be read, first ${first}`}`,
    { mend: "name a file of records with --from FILE, or fill the collection first" },
  );
}

/** Passes records on, and keeps the first inputs of the space. */
async function* sampling(
  records: AsyncIterable<TrainingRecord>,
  { space }: TrainSpaceOptions,
  samples: unknown[],
): AsyncGenerator<TrainingRecord, void, void> {
  for await (const record of records) {
    const input = samples.length < samplesMax ? spaceInput(space, record) : null;
    const { features } = record;
    if (input !== null) {
      if (projectionOf(space.definition) !== undefined) samples.push(features);
      else samples.push(features === undefined ? input : { ...(input as object), features });
    }
    yield record;
  }
}

/** Writes, tries and pins an artefact; one that is not served as it was trained is removed again. */
async function keep(
  options: TrainSpaceOptions,
  { model, run, samples, lockFile }: { model: TrainedModel; run: Run; samples: unknown[]; lockFile: string },
): Promise<TrainedSpace> {
  const { id } = run.record;
  const directory = join(artefactsFolder(lockFile, options.place), id);
  // Curves are the run's, not the artefact's.
  const card = modelCard({ run: { ...run, curves: [] } });
  // A run that was ended and went on has kept one by then, which counts until the new one is known to serve.
  const aside = `${directory}.before`;
  const isAside = existsSync(directory);
  if (isAside) await rename(directory, aside);
  let artefact: LockedArtefact;
  let servedDifference: number | null;
  try {
    artefact = await writeArtefact({ directory, run: id, model, card });
    servedDifference = await differenceOf(options, { model, samples, directory, artefact });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    if (isAside) await rename(aside, directory);
    throw error;
  }
  const pinned = await pin(options, { run, directory, artefact, servedDifference });
  await rm(aside, { recursive: true, force: true });
  return pinned;
}

async function pin(
  { place, lockFile, records }: TrainSpaceOptions,
  kept: Pick<TrainedSpace, "run" | "directory" | "servedDifference"> & { artefact: LockedArtefact },
): Promise<TrainedSpace> {
  const { artefact, ...known } = kept;
  let before: LockedArtefact | undefined;
  await updateLock(lockFile, (_, trained) => {
    before = trained[place];
    trained[place] = artefact;
  });
  const note = replacedNote(place, before, artefact);
  return { ...known, replaced: before?.run ?? null, note, skipped: records.skipped };
}

/** How far what is served is from what was trained; null where the training gives nothing to compare. */
async function differenceOf(
  { place, space: { definition }, lockFile }: TrainSpaceOptions,
  kept: { model: TrainedModel; samples: unknown[]; directory: string; artefact: LockedArtefact },
): Promise<number | null> {
  const { model, samples, directory, artefact } = kept;
  if (!isTunedSpace(definition)) return checkServed(model, samples, { directory, space: place, artefact });
  if (model.reference === undefined) return null;
  const tuned = definition as ModelSpaceDefinition;
  return checkTunedServed(model.reference, { definition: tuned, space: place, lockFile, artefact });
}
