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
    for await (const items of chunksOf(options.source.records({ skip: run.recordsRead }), signal)) {
      if (!(await sendChunk({ ...options, signal }, run, { chunk, position: recordsRead, items }))) break;
      chunk += 1;
      recordsRead += items.length;
      await store.advanceRun(run.runId, { chunksSent: chunk, recordsRead });
    }
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
    baseVersion: deployment.produce.versions.next(),
    chunksSent: 0,
    recordsRead: 0,
    state: "running",
    startedAtMs,
  };
  await deployment.store.createRun(run);
  return run;
}

async function* chunksOf(
  items: AsyncIterable<SourceItem>,
  signal: AbortSignal,
): AsyncGenerator<readonly SourceItem[]> {
  const room = new PacketRoom();
  let chunk: SourceItem[] = [];
  for await (const item of items) {
    if (signal.aborted) return;
    if (!room.take(item.ok ? charsOf(item.value) : 0)) {
      yield chunk;
      chunk = [];
    }
    chunk.push(item);
  }
  if (chunk.length > 0 && !signal.aborted) yield chunk;
}

async function sendChunk(
  options: BackfillOptions & { readonly signal: AbortSignal },
  run: BackfillRun,
  { chunk, position, items }: { chunk: number; position: number; items: readonly SourceItem[] },
): Promise<boolean> {
  const { deployment, source } = options;
  const { collection } = deployment.collection(run.collection);
  const where = { collection: run.collection, runId: run.runId };
  const letters: DeadLetter[] = [];
  const inputs: Input[] = [];
  for (const [index, item] of items.entries()) {
    if (item.ok) {
      const version = run.baseVersion + BigInt(position + index);
      inputs.push({ value: item.value, source: item.source, textual: source.textual, version });
    } else
      letters.push(deadLetterOfRejection({ id: null, code: item.code, message: item.reason }, item, where));
  }
  const { envelopes, rejected } = checkInputs(deployment.produce, collection, inputs);
  for (const rejection of rejected) {
    const { value, source: place } = inputs[rejection.index] as Input;
    // As JSON, so that a row of a CSV file can be replayed without its header line.
    const payload = Buffer.from(JSON.stringify(value));
    letters.push(deadLetterOfRejection(rejection, { source: place, payload }, where));
  }
  if (letters.length > 0) await deployment.store.addDeadLetters(letters);
  const settled = addOutcomes(noOutcomes, { deadLetters: letters.length });
  const ref = { runId: run.runId, chunk, settled };
  return sendWhenRoom(options.signal, () => send(deployment.produce, collection, envelopes, ref));
}
