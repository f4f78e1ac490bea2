import type { Neighbour, NodeInput } from "../encoder.ts";
import type { Version } from "../version.ts";
import type { GenerationOf } from "./generations.ts";
import type { StoredSegments } from "./store.ts";

/** Whom a record has edges with, and theirs, as they were read. */
export interface Neighbourhood {
  readonly neighbours: readonly Neighbour[];
  /** Hash of all of it: equal exactly where an encoder would be given the same neighbours. */
  readonly state: Uint8Array;
}

/** Reads of whom nodes have edges with. Throws as `Store` does. */
export interface NeighbourhoodReader {
  /**
   * By id, of all nodes that are given; their own edges are the given ones, all others those of the generation's rows. Of more
   * neighbours than an encoder takes some are drawn, the same ones each time.
   */
  readNeighbourhoods(
    of: GenerationOf,
    space: string,
    nodes: readonly Pick<NodeInput, "id" | "edges">[],
  ): Promise<ReadonlyMap<string, Neighbourhood>>;
}

/** A live row, with its edges by field; null where it has none. */
export interface StoredNode extends StoredSegments {
  readonly edges: Readonly<Record<string, NodeInput["edges"] | null>>;
}

/** Records in hand whose neighbours, or what these say, changed. */
export interface RefreshBatch extends GenerationOf {
  /** Taken after all that set off these refreshes, and before anything is read for them. */
  readonly number: bigint;
  readonly ids: readonly string[];
  /** 1 for the first; the most that any of them took. */
  readonly tries: number;
  /** Of the store's own. */
  readonly positions: readonly string[];
}

export interface RefreshedRow {
  readonly id: string;
  /** That of the row which was read. */
  readonly version: Version;
  /** As in `VectorEnvelope`; null where it was found to be right already. */
  readonly encoded: Pick<StoredSegments, "vector" | "segmentHashes"> | null;
}

/**
 * What sees to it that records are encoded anew where others around them changed. Such a need is durable with the change itself, and
 * is gone when it is met: whoever dies in between leaves it to others. Throws as `Store` does.
 */
export interface RefreshStore extends NeighbourhoodReader {
  /**
   * Finds those who hear of the oldest changes. `cut`: of these changes, those with more around them than are taken; the others keep
   * what they heard last until something else touches them.
   */
  spreadChanges(): Promise<{ readonly changes: number; readonly cut: number }>;
  /**
   * Null: none waits, or the generation is still to have rows that were there when it was begun, whose neighbours say nothing yet. A batch
   * that is not finished is given to others after a minute.
   */
  takeRefreshes(of: GenerationOf): Promise<RefreshBatch | null>;
  readNodes(of: GenerationOf, ids: readonly string[]): Promise<ReadonlyMap<string, StoredNode>>;
  /**
   * Writes rows that still have the version which was read and no refresh of a higher number, and ends the batch; where a row has a newer
   * version by now its refresh waits again. One transaction. Resolves to how many rows were written.
   */
  finishRefreshes(batch: RefreshBatch, rows: readonly RefreshedRow[]): Promise<number>;
  /** Whether changes or refreshes of any collection's live rows are still to be done. */
  hasRefreshes(): Promise<boolean>;
}
