import type { Collection, SegmentLayout } from "../collection.ts";
import type { VectorEnvelope } from "../envelope.ts";
import type { RecordFields } from "../fields.ts";
import type { StoredSegments } from "./store.ts";

/** One set of a collection's rows, all encoded alike. Of two, one is live. */
export interface Generation {
  readonly collection: string;
  /** From 1. */
  readonly generation: number;
  /** `building`: it takes over what the live one has. `kept`: it was live before, and follows, so that it can be again. */
  readonly state: "building" | "live" | "kept";
  readonly segments: readonly StoredSegment[];
}

/** Which one. */
export type GenerationOf = Pick<Generation, "collection" | "generation">;

/** Where a segment lies in a generation's rows, and what it was made of. */
export interface StoredSegment extends SegmentLayout {
  readonly fields: readonly string[];
}

/** Rows that were written in one generation, and that another is to have too. */
export interface ChangedRows {
  readonly collection: string;
  /** The one that is to have them. */
  readonly generation: number;
  readonly ids: readonly string[];
  /** Of the row that was taken most often, with this time. */
  readonly tries: number;
  /** Opaque: what `finishChanges` takes away. */
  readonly positions: readonly string[];
}

export interface StoredRow extends StoredSegments {
  /** Empty for a tombstone. */
  readonly fields: RecordFields;
}

/** What carries rows from one generation to another. Throws as `Store` does. */
export interface GenerationStore {
  /** Of each collection the live one, and the other where there are two. */
  readGenerations(): Promise<readonly Generation[]>;
  /** Leased for a minute: what is not finished by then is taken again. Null: none wait. */
  takeChanges(collection: string, generation: number): Promise<ChangedRows | null>;
  /** The rows of another generation, with the fields that `collection` names; what it does not have is null. */
  readRows(
    collection: Collection,
    generation: number,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, StoredRow>>;
  /** As `Store.writeRows`; what is written is not noted for the generation that it comes from. */
  carryRows(collection: string, envelopes: readonly VectorEnvelope[]): Promise<void>;
  finishChanges(changes: ChangedRows): Promise<void>;
}
