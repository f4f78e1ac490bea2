import type { Result } from "./result.ts";
import type { Classifier } from "./space-label.ts";

/** Why a value can't become a segment. */
export type EncodeFailure =
  /** The same every time: the record becomes a dead letter. `mend` says what to change. */
  | { code: "encoder_failed"; message: string; mend?: string }
  /** Passing: tried again. */
  | { code: "encoder_unavailable"; message: string };

/** What encoders of a graph's nodes read of a record: its edges, and whose they are. */
export interface NodeInput {
  readonly id: string;
  readonly edges: Readonly<Record<string, number>>;
  /** The record's segments of the spaces that the space names as features, end to end; each unit length or all zero. */
  readonly features?: Float32Array;
  /** Whom the record has edges with, either way, as the store has them now. Absent: not known, so what the encoder itself knows counts. */
  readonly neighbours?: readonly Neighbour[];
}

/** A node that another has an edge with. */
export interface Neighbour {
  readonly id: string;
  /** Of the edges between the two together; above 0. */
  readonly weight: number;
  /** As `NodeInput.features`. Null: there is no such record (yet). Of one read, the same node has the same array. */
  readonly features: Float32Array | null;
  /** Its own neighbours; empty for a neighbour's neighbour. */
  readonly neighbours: readonly Neighbour[];
}

export type EncodeResult = Result<Float32Array, EncodeFailure>;

/**
 * Turns values of one space into segments. A segment has `dimensions` entries and is of unit length, or all zero
 * where the value says nothing (an unknown category, an empty list). Missing fields (`null`) never reach an encoder.
 *
 * `Value` is what a record holds, `Query` what a search may say about the space.
 */
export interface Encoder<Value = unknown, Query = unknown> {
  readonly dimensions: number;
  /**
   * Hex sha256 of all that decides the vectors of records (model bytes, pooling, ranges, vocabulary, algorithm
   * version), and of nothing else: it changes exactly when stored vectors would.
   */
  readonly identity: string;
  /** True where encoding runs a model: such calls are counted, and worth avoiding. */
  readonly usesModel: boolean;
  /** Of a tuned space, where its artefact has one. */
  readonly classifier?: Classifier | undefined;
  /** One result per value, in order; one bad value does not fail its neighbours. */
  encode(values: readonly Value[], signal?: AbortSignal): Promise<readonly EncodeResult[]>;
  /** The query's segment: unit length, or all zero. Throws `MedleyError` `query_invalid` for a query it can't read. */
  encodeQuery(query: Query, signal?: AbortSignal): Promise<Float32Array>;
}
