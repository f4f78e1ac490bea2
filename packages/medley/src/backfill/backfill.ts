import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { BackfillRun, DeadLetter, RunProgress } from "@medley/core";
import {
  addOutcomes,
  charsOf,
  checkInputs,
  deadLetterOfRejection,
  type Input,
  noOutcomes,
  PacketRoom,
  send,
} from "@medley/pipeline";
import type { Source, SourceItem } from "@medley/sources";
import type { Deployment } from "../deployment/deployment.ts";
import { sendWhenRoom } from "../ingest/send-when-room.ts";

/**
 * A backfill reads a source in chunks of 100 records (fewer where they are large) and sends each chunk as one packet. States of a run: running -> sent -> done, the
 * last step taken in the database by whoever writes the last chunk: this process may be gone by then.
 *
 * It is resumable because everything about chunk n follows from the run alone: its records, its queue key and their
 * versions (`baseVersion` + position). A chunk sent twice, since the process died between sending and writing down that it
 * had sent, is dropped by the queue or meets rows that already have its versions. Each chunk is marked as done in the
 * transaction that writes its rows, so progress is exact whichever process indexes.
 *
 * Rows of a table come and go while it is read, so of a chunk only its range of keys can be fixed: it is written down
 * before the chunk is sent (`RunPosition`). Read again, the range may hold other rows under the same queue key and version;
 * whichever of the two is kept, the range is covered, and what changed since has a version of its own (relay.ts).
 */
export interface BackfillOptions {
  readonly deployment: Deployment;
  readonly collection: string;
  readonly source: Source;
  /** As given by the user: what `resume` opens again. */
  readonly path: string;
  /** Continue this run. Default: null, which begins a new one. */
  readonly resume?: BackfillRun | null;
  /** Told once the run is on record, before the first chunk. */
  readonly onStart?: (runId: string) => void;
  readonly onProgress?: (progress: RunProgress, recordsRead: number) => void;
  /** Aborted: stop reading, leave the run resumable. */
  readonly signal?: AbortSignal;
  /** Return once everything is in the queue instead of once it is indexed. Default false. */
  readonly detach?: boolean;
}

export interface BackfillResult {
  readonly runId: string;
  readonly state: "done" | "sent" | "interrupted";
  readonly recordsRead: number;
  readonly progress: RunProgress;
}

const progressIntervalMs = 250;
// Waiting for the end: a look every tenth of the time waited so far, so that a short wait is not made a long one.
const endPollMsMin = 10;

export async function backfill(options: BackfillOptions): Promise<BackfillResult> {
  const { deployment, signal = new AbortController().signal, onProgress = () => {} } = options;
  const { store } = deployment;
  const run = options.resume ?? (await beginRun(options));
  options.onStart?.(run.runId);
  let recordsRead = run.recordsRead;
  const report = async () => {
    const progress = await store.readRunProgress(run.runId);
    onProgress(progress, recordsRead);
    return progress;
  };
  const timer = setInterval(() => report().catch(() => {}), progressIntervalMs);
  try {
    let chunk = run.chunksSent;
    let { position } = run;
    for await (const { items, through } of chunksOf(options.source, run, signal)) {
      if (position !== null) {
        position = { after: position.after, through };
        await store.advanceRun(run.runId, { chunksSent: chunk, recordsRead, position });
      }
      if (!(await sendChunk({ ...options, signal }, run, { chunk, first: recordsRead, items }))) break;
      chunk += 1;
      recordsRead += items.length;
      if (position !== null) position = { after: through, through: null };
      else await store.advanceRun(run.runId, { chunksSent: chunk, recordsRead, position });
    }
    if (position !== null) await store.advanceRun(run.runId, { chunksSent: chunk, recordsRead, position });
    if (!signal.aborted) await store.sealRun(run.runId);
    let progress = await report();
    if (!signal.aborted && options.detach) return { runId: run.runId, state: "sent", recordsRead, progress };
    const waitingSinceMs = performance.now();
    while (!signal.aborted && progress.chunksDone < chunk) {
      const pauseMs = Math.max((performance.now() - waitingSinceMs) / 10, endPollMsMin);
      await sleep(Math.min(pauseMs, progressIntervalMs));
      progress = await report();
    }
    if (progress.chunksDone < chunk || signal.aborted)
      return { runId: run.runId, state: "interrupted", recordsRead, progress };
    return { runId: run.runId, state: "done", recordsRead, progress };
  } finally {
    clearInterval(timer);
  }
}

async function beginRun({ deployment, collection, source, path }: BackfillOptions): Promise<BackfillRun> {
  const startedAtMs = Date.now();
  const run: BackfillRun = {
    runId: `${new Date(startedAtMs).toISOString().slice(0, 10)}-${randomBytes(4).toString("hex")}`,
    collection,
    source: path,
    fingerprint: await source.fingerprint(),
    baseVersion: (await source.snapshotVersion?.()) ?? deployment.produce.versions.next(),
    chunksSent: 0,
    recordsRead: 0,
    position: source.snapshotVersion === undefined ? null : { after: null, through: null },
    state: "running",
    startedAtMs,
  };
  await deployment.store.createRun(run);
  return run;
}

interface Chunk {
  readonly items: readonly SourceItem[];
  /** Position of the last item; null where the source is read by counting. */
  readonly through: string | null;
}

async function* chunksOf(source: Source, run: BackfillRun, signal: AbortSignal): AsyncGenerator<Chunk> {
  const { position } = run;
  // What a table has got since all of it was sent is not this run's.
  if (run.state !== "running") return;
  if (position === null) {
    yield* cut(source.records({ skip: run.recordsRead }), signal);
    return;
  }
  const { after, through } = position;
  const from = after === null ? {} : { after };
  if (through === null) {
    yield* cut(source.records(from), signal);
    return;
  }
  let isEmpty = true;
  for await (const chunk of cut(source.records({ ...from, through }), signal)) {
    isEmpty = false;
    yield chunk;
  }
  // Its number can't be given to rows after the range, as the queue may have it.
  if (isEmpty && !signal.aborted) yield { items: [], through };
  yield* cut(source.records({ after: through }), signal);
}

async function* cut(items: AsyncIterable<SourceItem>, signal: AbortSignal): AsyncGenerator<Chunk> {
  const room = new PacketRoom();
  let chunk: SourceItem[] = [];
  const whole = () => ({ items: chunk, through: chunk.at(-1)?.position ?? null });
  for await (const item of items) {
    if (signal.aborted) return;
    if (!room.take(item.ok ? charsOf(item.value) : 0)) {
      yield whole();
      chunk = [];
    }
    chunk.push(item);
  }
  if (chunk.length > 0 && !signal.aborted) yield whole();
}

/** An input with the version of its place in the run. */
type PlacedInput = Input & { readonly version: bigint };

async function sendChunk(
  options: BackfillOptions & { readonly signal: AbortSignal },
  run: BackfillRun,
  { chunk, first, items }: { chunk: number; first: number; items: readonly SourceItem[] },
): Promise<boolean> {
  const { deployment, source } = options;
  const { collection } = deployment.collection(run.collection);
  const where = { collection: run.collection, runId: run.runId };
  const isSnapshot = source.snapshotVersion !== undefined;
  const letters: DeadLetter[] = [];
  const inputs: PlacedInput[] = [];
  for (const [index, item] of items.entries()) {
    // An old state of a row must not count as newer than a later one, replayed as little as now.
    const version = isSnapshot ? run.baseVersion : run.baseVersion + BigInt(first + index);
    if (item.ok) {
      inputs.push({ value: item.value, source: item.source, textual: source.textual, version });
    } else {
      const rejection = { id: null, code: item.code, message: item.reason };
      letters.push(deadLetterOfRejection(rejection, { ...item, version }, where));
    }
  }
  const { envelopes, rejected } = checkInputs(deployment.produce, collection, inputs);
  for (const rejection of rejected) {
    const { value, source: place, version } = inputs[rejection.index] as PlacedInput;
    // As JSON, so that a row of a CSV file can be replayed without its header line.
    const payload = Buffer.from(JSON.stringify(value));
    letters.push(deadLetterOfRejection(rejection, { source: place, payload, version }, where));
  }
  if (letters.length > 0) await deployment.store.addDeadLetters(letters);
  const settled = addOutcomes(noOutcomes, { deadLetters: letters.length });
  const ref = { runId: run.runId, chunk, settled };
  return sendWhenRoom(options.signal, () => send(deployment.produce, collection, envelopes, ref));
}
