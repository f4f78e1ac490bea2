import type { RecordFields } from "./fields.ts";
import type { SpaceLabel } from "./space-label.ts";
import type { Version } from "./version.ts";

/** Longest record id in UTF-8 bytes: it must fit a Postgres b-tree entry and a Kafka key with room to spare. */
export const recordIdBytesMax = 512;

/** A validated record on its way to the embedding-worker. */
export interface RecordEnvelope {
  readonly id: string;
  readonly version: Version;
  /** `event`: what a user did with a record; `id` is the user, see user-event.ts. */
  readonly op: "upsert" | "delete" | "event";
  /** Every field of the collection by name; empty for a delete. */
  readonly fields: RecordFields;
  /** Where it came from (`films.csv:17`, `http`), for dead letters. */
  readonly source: string;
  /** When its producer accepted it, milliseconds since 1970: freshness is measured from here. Absent where it is not known. */
  readonly acceptedAtMs?: number;
  /** W3C `traceparent` of the request or message it came with. */
  readonly trace?: string;
}

/** An encoded record on its way to the indexer. */
export interface VectorEnvelope extends RecordEnvelope {
  /** The fused vector in half precision, unweighted; empty for a delete and an event. */
  readonly vector: Float16Array;
  /** `segmentHashBytes` bytes per space, in the order of the collection's spaces; empty for a delete and an event. */
  readonly segmentHashes: Uint8Array;
  /**
   * By space, what the classifiers of tuned spaces say of the segments in `vector`; a space is left out where there was nothing
   * to tell it by. Absent where no space of the collection has a classifier, and for a delete and an event.
   */
  readonly labels?: Readonly<Record<string, SpaceLabel>>;
  /** The generation of rows that the vector is laid out for. Absent: the first, and of what has no vector. */
  readonly generation?: number;
}

/** Of a collection's rows, when it is made. */
export const firstGeneration = 1;

/** Bytes kept of the sha256 of (encoder identity, input) per segment. */
export const segmentHashBytes = 16;

/** How many records ended in which way: promise P1. */
export interface OutcomeCounts {
  readonly indexed: number;
  readonly tombstoned: number;
  readonly superseded: number;
  readonly deadLetters: number;
}

/** The chunk of a backfill run that a packet carries: the run is complete when each chunk was indexed. */
export interface ChunkRef {
  readonly runId: string;
  readonly chunk: number;
  /** The chunk's records that are no longer in the packet, since earlier stages settled them. */
  readonly settled: OutcomeCounts;
}

/** About a hundred envelopes of one collection: the unit of queueing, retry and acknowledgement. */
export interface Packet<E extends RecordEnvelope = RecordEnvelope> {
  readonly collection: string;
  readonly envelopes: readonly E[];
  readonly chunk: ChunkRef | null;
}

export const packetRecordsMax = 100;
