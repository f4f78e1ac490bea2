import type { StoredSegments } from "@medley/core";
import { readHalfvec } from "./binary-array.ts";
import type { VectorTypes } from "./columns.ts";

export interface SegmentsRow {
  id: string;
  version: string;
  deleted: boolean;
  segment_hashes: Buffer | null;
  /** pgvector's binary halfvec: exact, and no decimal text to parse. */
  embedding: Buffer | null;
}

/** `table` as SQL names it. */
export function segmentsSql(table: string, types: VectorTypes): string {
  return `select id, version, deleted_at is not null as deleted, segment_hashes,
  ${types.schema}.halfvec_send(embedding) as embedding
from ${table} where id = any ($1::text[])`;
}

export function readSegmentsRow(row: SegmentsRow): StoredSegments {
  return {
    version: BigInt(row.version),
    deleted: row.deleted,
    vector: row.embedding === null ? new Float16Array(0) : readHalfvec(row.embedding),
    segmentHashes: row.segment_hashes ?? new Uint8Array(0),
  };
}
