import type { DeadLetter, StoredDeadLetter } from "../dead-letter.ts";
import type { DeadLetterWhere } from "../dead-letter-filter.ts";
import type { ChunkRef, OutcomeCounts, VectorEnvelope } from "../envelope.ts";
import type { UserEvent } from "../user-event.ts";

/** What the embed stage needs to know of a row to skip what did not change. */
export interface StoredSegments {
  readonly version: bigint;
  readonly deleted: boolean;
  /** As in `VectorEnvelope`; empty for a tombstone. */
  readonly vector: Float16Array;
  readonly segmentHashes: Uint8Array;
}

/** What became of an envelope: promise P1, together with dead letters. */
export type WriteOutcome = "indexed" | "tombstoned" | "superseded";

/** What the stages write to and read from. Passing faults throw `MedleyError` `store_unavailable`; bad data `record_invalid`. */
export interface Store {
  /** `generation`: whose rows. Default: the first. Throws `generation_gone` where that has been dropped. */
  readSegments(
    collection: string,
    ids: readonly string[],
    generation?: number,
  ): Promise<ReadonlyMap<string, StoredSegments>>;
  /**
   * Writes rows whose version is above the stored one, in one statement, ordered by id, and marks the chunk as done in
   * the same transaction; a run that was waiting for this chunk alone is done when this resolves. One outcome per envelope,
   * in order. An id must not occur twice, and all are of one generation. Throws `generation_gone` where that has been dropped.
   */
  writeRows(
    collection: string,
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
  ): Promise<readonly WriteOutcome[]>;
  /**
   * Keeps events of users, and makes these users' profiles anew, in one transaction. One outcome per event, in order:
   * `superseded` where later events have taken its place, `tombstoned` where its user was forgotten since. The same event
   * again has no second effect, and the order does not matter. Throws `record_invalid` where the collection takes no events.
   */
  writeEvents(collection: string, events: readonly UserEvent[]): Promise<readonly WriteOutcome[]>;
  /**
   * Durable when resolved. The same letter again (same collection, id, version, stage, source) adds no second one; where it
   * had been replayed, it is open again.
   */
  addDeadLetters(letters: readonly DeadLetter[]): Promise<void>;
}

export interface DeadLetterPage {
  /** Default: all. */
  readonly where?: DeadLetterWhere;
  /** Default: newest first. */
  readonly oldestFirst?: boolean;
  /** Only those that come after the letter of this number. */
  readonly after?: number;
  /** None with a higher number. */
  readonly upTo?: number;
  readonly limit: number;
}

export interface DeadLetterCount {
  readonly collection: string;
  readonly code: string;
  readonly count: number;
  /** Of the newest one. */
  readonly lastDeadLetterId: number;
}

/** What asks with a `where` throws `MedleyError` `query_invalid` for one it can't use. */
export interface DeadLetterStore {
  listDeadLetters(page: DeadLetterPage): Promise<readonly StoredDeadLetter[]>;
  /** Most first. */
  countDeadLetters(where: DeadLetterWhere): Promise<readonly DeadLetterCount[]>;
  readDeadLetter(deadLetterId: number): Promise<StoredDeadLetter | null>;
  /**
   * Marks each as replayed, unless it has failed again since it was read: a replay may fail before its sender gets to say
   * that it was sent, and what failed again must not be hidden.
   */
  markReplayed(letters: readonly Pick<StoredDeadLetter, "deadLetterId" | "failures">[]): Promise<void>;
}

/**
 * Of a run over a source that is read by key. Where `through` is null, chunk number `chunksSent` begins after `after`. Else it
 * may have been sent, with the records that were then in (`after`, `through`]: it may be sent again only within that range,
 * since a queue that has it drops it.
 */
export interface RunPosition {
  /** Null: the beginning. */
  readonly after: string | null;
  readonly through: string | null;
}

/** How far a run is. */
export interface RunMark {
  readonly chunksSent: number;
  readonly recordsRead: number;
  /** Null: the source is read by counting (files). */
  readonly position: RunPosition | null;
}

/**
 * A backfill: chunks are numbered from 0; those below `chunksSent` are in the queue or done. States: running (its source is
 * being read, or waits to be resumed) -> sent (all chunks have been sent, `sealRun`) -> done (all of them are settled).
 */
export interface BackfillRun extends RunMark {
  readonly runId: string;
  readonly collection: string;
  /** Path as given, `stdin`, or `table public.products`. */
  readonly source: string;
  /** Size, modification time and hash of the beginning, or the table's definition: a changed source can't be resumed. */
  readonly fingerprint: string;
  /**
   * The version of the run's record n is `baseVersion + n`; of a source that is read by key, that of all records is
   * `baseVersion`. A chunk sent twice has no second effect.
   */
  readonly baseVersion: bigint;
  readonly state: "running" | "sent" | "done";
  readonly startedAtMs: number;
}

export interface RunProgress extends OutcomeCounts {
  readonly chunksDone: number;
}

export interface RunStore {
  createRun(run: BackfillRun): Promise<void>;
  readRun(runId: string): Promise<BackfillRun | null>;
  advanceRun(runId: string, mark: RunMark): Promise<void>;
  /**
   * There are no chunks but those that were sent. The run is done with the last of them, whichever process writes it, also
   * where nobody waits for it any more; at once where all are.
   */
  sealRun(runId: string): Promise<void>;
  readRunProgress(runId: string): Promise<RunProgress>;
}
