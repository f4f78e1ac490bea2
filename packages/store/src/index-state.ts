import type pg from "pg";
import { buildCandidates } from "./graph-candidates.ts";

/** Below this a scan is as fast as the indexes, and exact: they are built only over as many live rows. */
export const indexRowsMin = 10_000;
/** The embedded engine builds 70 to 500 rows/s and would slow each write to tens of rows/s; it scans 100,000 in a second. */
export const embeddedIndexRowsMin = 200_000;

export type IndexState =
  /** Too few rows: searches scan them, exactly. */
  | "not_needed"
  /** Enough rows: `buildIndex` would make them. */
  | "missing"
  /** A build broke off; `buildIndex` begins anew. */
  | "broken"
  /** The one over all spaces is there, one of a space, text or field is not: searches of uneven weights scan, exactly, and words are read row by row. */
  | "partial"
  | "ready";

/**
 * One of a collection's indexes: of the fused vectors, of one space (sql/functions/search-paths.sql), of one text (texts.sql), or of a field
 * that filters read (filter-indexes.sql).
 */
export interface PathIndex {
  /** Or text, or field. Null: of the fused vectors. */
  readonly space: string | null;
  readonly forFilters: boolean;
  /** An HNSW graph, which is built in memory. */
  readonly graph: boolean;
  /** Of what it is over; 0 of a text or field. */
  readonly dimensions: number;
  /** Bare and quoted. */
  readonly name: string;
  /** What follows `create index NAME on TABLE`. */
  readonly definition: string;
  /** Null: it is not there. */
  readonly valid: boolean | null;
}

/** The one of the fused vectors first. Default: of the live generation. */
export async function readPathIndexes(
  database: Pick<pg.ClientBase | pg.Pool, "query">,
  collection: string,
  generation?: number,
): Promise<readonly PathIndex[]> {
  const { rows } = await database.query<PathIndex>(
    `select wanted.space, for_filters as "forFilters", graph, wanted.dimensions, quote_ident(index_name) as name, definition,
  (select indisvalid from pg_index where indexrelid = to_regclass('medley_internal.' || quote_ident(index_name))) as valid
from medley_internal.as_generation($1, $2) as described,
  lateral (
    select place, space, false as for_filters, kind in ('fused', 'graph') as graph,
      dimensions - (
        select coalesce(sum(own.dimensions - fewer.value::int), 0)::int
        from jsonb_each_text(shortened) as fewer,
          (select row_number() over (order by segment.start) as at, segment.dimensions from medley_internal.segments(described) as segment) as own
        where own.at = fewer.key::int
      ) as dimensions, index_name,
      medley_internal.index_definition(described, kind, start, dimensions, field, type, shortened, $3) as definition
    from medley_internal.search_paths(described)
    union all
    select null, name, false, false, 0, index_name, definition from medley_internal.text_indexes(described)
    union all
    select null, field, true, false, 0, index_name, definition from medley_internal.filter_indexes_of(described)
  ) as wanted
order by wanted.place, for_filters, wanted.space`,
    [collection, generation ?? null, buildCandidates],
  );
  return rows;
}

export async function readIndexState(
  pool: pg.Pool,
  collection: string,
  rowsLive: number,
): Promise<IndexState> {
  const indexes = await readPathIndexes(pool, collection);
  if (indexes.every(({ valid }) => valid === true)) return "ready";
  if (indexes.some(({ valid }) => valid === false)) return "broken";
  if (indexes.some(({ valid }) => valid === true)) return "partial";
  const { rows } = await pool.query<{ embedded: boolean }>("select version() like '%PGlite%' as embedded");
  return rowsLive < (rows[0]?.embedded ? embeddedIndexRowsMin : indexRowsMin) ? "not_needed" : "missing";
}

/**
 * Bytes that pgvector's graph takes in memory while it is built, per row: the vector, and its links at m = 16. Measured with
 * pgvector 0.8.5 at 64, 384 and 1,024 dimensions, by the row at which it says that its memory is full.
 */
export function graphBytes(dimensions: number): number {
  return 714 + 2 * dimensions;
}
