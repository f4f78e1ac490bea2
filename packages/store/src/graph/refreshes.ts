import { strict as assert } from "node:assert";
import type {
  Collection,
  GenerationOf,
  NodeInput,
  RefreshBatch,
  RefreshedRow,
  StoredNode,
} from "@medley/core";
import pg from "pg";
import { type Leased, leasedBatch, leaseSql } from "../leases.ts";
import { rowTable, tableName } from "../migrations/row-tables.ts";
import type { VectorTypes } from "../rows/columns.ts";
import { readSegmentsRow, type SegmentsRow } from "../rows/read-segments.ts";
import { segmentArrays } from "../rows/segment-arrays.ts";

const { escapeIdentifier } = pg;

/** Of one transaction; each is heard by so many records at most. */
const changesMax = 100;
export const reachMax = 1_000;
/** Of one batch. */
const refreshesMax = 100;

export async function spreadChanges(pool: pg.Pool): Promise<{ changes: number; cut: number }> {
  const { rows } = await pool.query<{ changes: number; cut: number }>(
    "select changes, cut from medley_internal.spread_graph_changes($1, $2)",
    [changesMax, reachMax],
  );
  return rows[0] as (typeof rows)[0];
}

const takeSql = leaseSql(
  "medley_internal.graph_refresh",
  "table_name = $1 and (select medley_internal.is_filled($1))",
  refreshesMax,
);

/** Two statements: the number is taken when the lease is there, so that what is read with it holds what set the refreshes off. */
export async function takeRefreshes(
  pool: pg.Pool,
  { collection, generation }: GenerationOf,
): Promise<RefreshBatch | null> {
  const { rows: taken } = await pool.query<Leased>(takeSql, [tableName(collection, generation)]);
  if (taken.length === 0) return null;
  const { rows } = await pool.query<{ number: string }>(
    "select nextval('medley_internal.graph_refresh_number')::text as number",
  );
  return {
    ...{ collection, generation },
    number: BigInt((rows[0] as { number: string }).number),
    ...leasedBatch(taken),
  };
}

/** Of one generation, with `collection` as it is there. */
export interface NodesAsked {
  readonly collection: Collection;
  readonly generation: number;
  readonly ids: readonly string[];
}

export async function readNodes(
  pool: pg.Pool,
  types: VectorTypes,
  { collection: { name, fields }, generation, ids }: NodesAsked,
): Promise<ReadonlyMap<string, StoredNode>> {
  const edgeFields = fields.filter(({ type }) => type === "edges");
  const columns = edgeFields.map(({ name: field }, index) => `, ${escapeIdentifier(field)} as e${index}`);
  const { rows } = await pool.query<SegmentsRow & Readonly<Record<string, unknown>>>(
    `select id, version, false as deleted, segment_hashes, ${types.schema}.halfvec_send(embedding) as embedding${columns.join("")}
from ${rowTable(name, generation)} where id = any ($1::text[]) and deleted_at is null`,
    [ids],
  );
  return new Map(
    rows.map((row) => {
      const edges = edgeFields.map(({ name: field }, index) => [
        field,
        (row[`e${index}`] ?? null) as NodeInput["edges"] | null,
      ]);
      return [row.id, { ...readSegmentsRow(row), edges: Object.fromEntries(edges) }];
    }),
  );
}

/**
 * Rows are locked in the order of their ids, as all writers do. A number is kept also where the row was right already: a refresh with a
 * lower one may be under way, which read an older state. Of two refreshes the higher number has read whatever the lower one's cause
 * was, since causes are committed before their refreshes are taken, and numbers are taken between that and the reads. Another generation
 * hears of neighbours by itself, so it is not told of what was written.
 */
function finishSql({ collection, generation }: GenerationOf, { schema }: VectorTypes): string {
  const table = rowTable(collection, generation);
  return `with input as materialized (
  select unnest($1::text[]) as id, unnest($2::bigint[]) as version, unnest($3::bytea[]) as hashes,
    unnest($4::${schema}.halfvec[]) as vector
), stored as materialized (
  select row.id, row.version from ${table} as row where id = any ($1::text[]) order by row.id for update
), written as (
  update ${table} as row set _refresh_number = $5::bigint,
    segment_hashes = coalesce(input.hashes, row.segment_hashes), embedding = coalesce(input.vector, row.embedding)
  from input join stored using (id)
  where row.id = input.id and row.version = input.version and row.deleted_at is null and row._refresh_number < $5::bigint
  returning row.id, input.hashes is not null as encoded
), overtaken as (
  select id from stored join input using (id) where stored.version > input.version
), again as (
  update medley_internal.graph_refresh set leased_until = clock_timestamp()
  where position = any ($6::bigint[]) and record_id in (select id from overtaken)
), done as (
  delete from medley_internal.graph_refresh
  where position = any ($6::bigint[]) and record_id not in (select id from overtaken)
)
select count(*) filter (where encoded)::int as rows, set_config('medley.carries', 'on', true) from written`;
}

export async function finishRefreshes(
  pool: pg.Pool,
  types: VectorTypes,
  batch: RefreshBatch,
  rows: readonly RefreshedRow[],
): Promise<number> {
  assert(rows.length <= refreshesMax, "rows of one batch");
  const { number, positions } = batch;
  const encoded = rows.map((row) => row.encoded);
  const { ids, versions, hashes, vectors } = segmentArrays(rows, encoded, types);
  const values = [ids, versions, hashes, vectors, number.toString(), positions];
  const { rows: answer } = await pool.query<{ rows: number }>(finishSql(batch, types), values);
  return (answer[0] as { rows: number }).rows;
}

export async function hasRefreshes(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ some: boolean }>(
    `select exists (
  select from medley_internal.collections where graphs is not null and medley_internal.is_to_hear(live_table)
) as some`,
  );
  return (rows[0] as { some: boolean }).some;
}
