import type pg from "pg";
import pgModule from "pg";
import { liveTable } from "./migrations/collection-tables.ts";

const { escapeIdentifier } = pgModule;

/** Below this a scan is as fast as the index, and exact: an index is built only over as many live rows. */
export const indexRowsMin = 10_000;
/** The embedded engine builds 70 to 500 rows/s and would slow each write to tens of rows/s; it scans 100,000 in a second. */
export const embeddedIndexRowsMin = 200_000;

export type IndexState =
  /** Too few rows: searches scan them, exactly. */
  | "not_needed"
  /** Enough rows: `buildIndexes` would make it. */
  | "missing"
  /** A build broke off; `buildIndexes` begins anew. */
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
    [indexName(collection, "qualified")],
  );
  const { valid, embedded } = rows[0] as (typeof rows)[0];
  if (valid !== null) return valid ? "ready" : "broken";
  return rowsLive < (embedded ? embeddedIndexRowsMin : indexRowsMin) ? "not_needed" : "missing";
}

/**
 * Builds the HNSW index over a collection's fused vectors where it is missing or broken. Needs the right to create
 * it, takes minutes per 100,000 rows, and lets writes go on (the embedded engine can't: it stops for everyone).
 * To be called after a load: an index makes each write many times slower.
 */
export async function buildIndex(pool: pg.Pool, collection: string): Promise<void> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ embedded: boolean }>(
      "select version() like '%PGlite%' as embedded",
    );
    const concurrently = rows[0]?.embedded ? "" : "concurrently";
    await client.query(`drop index ${concurrently} if exists ${indexName(collection, "qualified")}`);
    const { rows: types } = await client.query<{ schema: string }>(
      "select extnamespace::regnamespace::text as schema from pg_extension where extname = 'vector'",
    );
    await client.query(`create index ${concurrently} ${indexName(collection, "bare")} on ${liveTable(collection)}
using hnsw (embedding ${types[0]?.schema}.halfvec_ip_ops)`);
  } finally {
    client.release();
  }
}

function indexName(collection: string, form: "bare" | "qualified"): string {
  const name = escapeIdentifier(`${collection}_g1_hnsw`);
  return form === "bare" ? name : `medley_internal.${name}`;
}
