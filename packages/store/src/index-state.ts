import pg from "pg";

const { escapeIdentifier } = pg;

/** Below this a scan is as fast as the index, and exact: an index is built only over as many live rows. */
export const indexRowsMin = 10_000;
/** The embedded engine builds 70 to 500 rows/s and would slow each write to tens of rows/s; it scans 100,000 in a second. */
export const embeddedIndexRowsMin = 200_000;

export type IndexState =
  /** Too few rows: searches scan them, exactly. */
  | "not_needed"
  /** Enough rows: `buildIndex` would make it. */
  | "missing"
  /** A build broke off; `buildIndex` begins anew. */
  | "broken"
  | "ready";

export async function readIndexState(
  pool: pg.Pool,
  collection: string,
  rowsLive: number,
): Promise<IndexState> {
  const { rows } = await pool.query<{ valid: boolean | null; embedded: boolean }>(
    `select (select indisvalid from pg_index where indexrelid = to_regclass($1)) as valid,
  version() like '%PGlite%' as embedded`,
    [indexName(collection)],
  );
  const { valid, embedded } = rows[0] as (typeof rows)[0];
  if (valid !== null) return valid ? "ready" : "broken";
  return rowsLive < (embedded ? embeddedIndexRowsMin : indexRowsMin) ? "not_needed" : "missing";
}

/** Qualified and quoted. */
export function indexName(collection: string): string {
  return `medley_internal.${bareIndexName(collection)}`;
}

/** Quoted. */
export function bareIndexName(collection: string): string {
  return escapeIdentifier(`${collection}_g1_hnsw`);
}

/**
 * Bytes that pgvector's graph takes in memory while it is built, per row: the vector, and its links at m = 16. Measured with
 * pgvector 0.8.5 at 64, 384 and 1,024 dimensions, by the row at which it says that its memory is full.
 */
export function graphBytes(dimensions: number): number {
  return 714 + 2 * dimensions;
}
