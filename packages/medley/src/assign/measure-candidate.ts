import { dirname, join, resolve } from "node:path";
import {
  type Collection,
  hasArtefact,
  packetRecordsMax,
  reductionOf,
  type Space,
  type SpaceDefinition,
  spaceOf,
  systemClock,
} from "@medley/core";
import {
  type Device,
  type Environment,
  inspectModel,
  isModelPath,
  lockFileName,
  type ModelLock,
  openModelRuntime,
  readLock,
  updateLock,
} from "@medley/models";
import type { TrainingProgress, TrainingRecord, VectorTable } from "@medley/training";
import { withFolder } from "../config/load-config.ts";
import { openEncoders } from "../deployment/open-encoders.ts";
import { partFor } from "../evaluate/judged-query.ts";
import { withFeatures } from "../train/feature-records.ts";
import { nodeInputs, withSegments } from "../train/graph-nodes.ts";
import { trainSpace } from "../train/train-space.ts";
import type { Encoded } from "./assignment-folder.ts";
import { type Candidate, modelOf } from "./candidates.ts";
import type { Sizes } from "./memory-need.ts";
import type { TaskQuery } from "./task-queries.ts";

export interface MeasureOptions {
  readonly collection: Collection;
  /** All of them are encoded. */
  readonly records: readonly TrainingRecord[];
  /** They are encoded after the records. */
  readonly queries: readonly TaskQuery[];
  /** Those that a candidate which is not trained on all of them may be trained on. */
  readonly train: readonly TrainingRecord[];
  /** Segments of the records in the spaces whose segments the candidate is made of, in the order in which it names them. */
  readonly reads: readonly VectorTable[];
  /** What is trained lies here, with a lock of its own. */
  readonly folder: string;
  readonly lock: ModelLock;
  readonly environment: Environment;
  readonly seed: number;
  readonly threads: number;
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: TrainingProgress) => void;
}

/** Of a candidate that is neither loaded nor trained. Throws what opening its model throws. */
export async function sizesOf(
  candidate: Candidate,
  options: Pick<MeasureOptions, "collection" | "environment" | "lock">,
): Promise<Omit<Sizes, "readDimensions">> {
  const { definition } = candidate;
  const { collection, environment, lock } = options;
  const weightBytes = await weightBytesOf(definition, options);
  const reduced = reductionOf(definition);
  if (reduced !== undefined) return { dimensions: reduced.to, weightBytes };
  if ("dimensions" in definition) return { dimensions: definition.dimensions, weightBytes };
  const { tuned: _, ...untuned } = definition as SpaceDefinition & { tuned?: unknown };
  await using resources = new AsyncDisposableStack();
  const runtime = resources.use(openModelRuntime({ environment, lock, loads: false, threads: 1 }));
  const part = { ...collection, spaces: [spaceFor({ ...candidate, definition: untuned }, options)] };
  const encoding = { runtime, clock: systemClock, environment, resources };
  const opened = (await openEncoders(new Map([[part.name, part]]), encoding)).get(part.name);
  return { dimensions: opened?.dimensions as number, weightBytes };
}

/** Weights are computed in four bytes each, and stored in four, in two or in one; which of it is not said by every file. */
async function weightBytesOf(
  definition: SpaceDefinition,
  { environment, lock }: Pick<MeasureOptions, "environment" | "lock">,
): Promise<number> {
  const model = modelOf(definition);
  if (model === null) return 0;
  const { bytes, origin, dtype } = await inspectModel(model, environment, { lock });
  const isKnown = origin === "hub" && (dtype === "fp32" || dtype === "fp16");
  return bytes * (isKnown ? { fp32: 1, fp16: 2 }[dtype] : 4);
}

/**
 * Trains a candidate where it has to be, on the records that it may see, and encodes all records as the embedding stage would, and queries as a search would. Throws what
 * training and encoding throw, and the signal's reason: a training that is cut short is nothing to compare.
 */
export async function measureCandidate(candidate: Candidate, given: MeasureOptions): Promise<Encoded> {
  const { definition } = candidate;
  const records = withSegments(given.records, given.reads);
  const byId = new Map(records.map((record) => [record.id, record]));
  const train = given.train.map(({ id }) => byId.get(id) as TrainingRecord);
  const options = { ...given, records, train };
  if (!hasArtefact(definition)) {
    const modelBytes = await bytesOfModel(definition, options);
    return encodeAll(candidate, { ...options, trained: { modelBytes, trainingSeconds: 0 } });
  }
  const { lock, trained } = await trainCandidate(candidate, options);
  options.signal.throwIfAborted();
  return encodeAll(candidate, { ...options, lock, trained });
}

interface Trained {
  readonly modelBytes: number;
  readonly trainingSeconds: number;
}

/** Each candidate is a space of its own here, so that artefacts of one space's candidates lie beside each other. */
function spaceFor({ space, definition, key }: Candidate, { lock }: Pick<MeasureOptions, "lock">) {
  const directory = dirname(lock.file as string);
  const placed = withFolder(withModel(definition, directory), directory);
  return spaceOf(`${space}_${key.slice(0, 8)}`, placed, []);
}

/** A model's folder is relative to the configuration; the lock that serves here lies elsewhere. */
function withModel(definition: SpaceDefinition, directory: string): SpaceDefinition {
  if (!("model" in definition) || definition.encoder === "remote") return definition;
  const { model } = definition;
  return model === undefined || !isModelPath(model)
    ? definition
    : { ...definition, model: resolve(directory, model) };
}

async function trainCandidate(
  candidate: Candidate,
  options: MeasureOptions,
): Promise<{ lock: ModelLock; trained: Trained }> {
  const {
    collection,
    records,
    train,
    folder,
    lock: own,
    seed,
    threads,
    device,
    environment,
    signal,
    onProgress,
  } = options;
  const space = spaceFor(candidate, options);
  const place = `${collection.name}.${space.name}`;
  const lockFile = join(folder, lockFileName);
  await updateLock(lockFile, (models) => Object.assign(models, own.models));
  const startedMs = performance.now();
  await trainSpace({
    ...{ place, collection, space, lockFile, seed, threads, device, signal, onProgress },
    records: {
      name: `the ${candidate.trainedOn}`,
      read: () => eachOf(candidate.trainedOn === "all records" ? records : train),
      skipped: { count: 0, first: null },
    },
    hasFeatures: candidate.reads.length > 0,
    models: { environment, lock: own },
    settings: {},
    onRun: () => {},
  });
  const trainingSeconds = (performance.now() - startedMs) / 1000;
  const lock = await readLock(lockFile);
  const files = Object.values(lock.trained[place]?.files ?? {});
  return { lock, trained: { trainingSeconds, modelBytes: files.reduce((sum, { bytes }) => sum + bytes, 0) } };
}

async function bytesOfModel(
  definition: SpaceDefinition,
  { environment, lock }: Pick<MeasureOptions, "environment" | "lock">,
): Promise<number> {
  const model = modelOf(definition);
  return model === null ? 0 : (await inspectModel(model, environment, { lock })).bytes;
}

async function encodeAll(
  candidate: Candidate,
  options: MeasureOptions & { readonly trained: Trained },
): Promise<Encoded> {
  const { collection, records, queries, lock, environment, threads, signal, onProgress, trained } = options;
  await using resources = new AsyncDisposableStack();
  const runtime = resources.use(openModelRuntime({ environment, lock, threads, device: options.device }));
  const part = { ...collection, spaces: [spaceFor(candidate, options)] };
  const encoding = { runtime, clock: systemClock, environment, resources };
  const opened = (await openEncoders(new Map([[part.name, part]]), encoding)).get(part.name);
  if (opened === undefined) throw new TypeError("the candidate's encoder is open");
  const { dimensions } = opened;
  const values = new Float32Array((records.length + queries.length) * dimensions);
  const inputOf = candidate.reads.length === 0 ? undefined : nodeInputs(part.spaces[0] as Space, records);
  // The quickest packet counts: whatever else the machine does, and loading the model, only adds to it.
  let millisecondsPerRecord = Number.POSITIVE_INFINITY;
  for (let done = 0; done < records.length; ) {
    signal.throwIfAborted();
    const packet = records.slice(done, done + packetRecordsMax);
    const startedMs = performance.now();
    for await (const { features } of withFeatures(packet, opened, signal, inputOf)) {
      values.set(features as Float32Array, done * dimensions);
      done += 1;
    }
    millisecondsPerRecord = Math.min(millisecondsPerRecord, (performance.now() - startedMs) / packet.length);
    onProgress({ stage: "encoding", done, total: records.length, unit: "records" });
  }
  for (const [at, query] of queries.entries()) {
    signal.throwIfAborted();
    const part = partFor({ name: candidate.space, definition: candidate.definition }, query);
    if (part === undefined) continue;
    const segment = (await opened.encoders[0]?.encodeQuery(part, signal)) as Float32Array;
    values.set(segment, (records.length + at) * dimensions);
  }
  const cost = { ...trained, millisecondsPerRecord, bytesPerRecord: 2 * dimensions };
  return { table: { values, dimensions }, cost };
}

async function* eachOf(records: readonly TrainingRecord[]): AsyncGenerator<TrainingRecord, void, void> {
  yield* records;
}
