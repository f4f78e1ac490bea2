import { strict as assert } from "node:assert";
import type { ChunkRef, Collection, VectorEnvelope, WriteOutcome } from "@medley/core";
import pg from "pg";
import { liveTable } from "../migrations/collection-tables.ts";
import { binaryArray, boolBytes, elementOids, halfvecBytes, int8Bytes, textBytes } from "./binary-array.ts";
import { type Column, columnOf, type VectorTypes } from "./columns.ts";

const { escapeIdentifier } = pg;

/** Of one statement; a packet is smaller. */
export const rowsMax = 1_000;

/** The guarded upsert of one collection: its text is made once, its parameters per batch. */
export interface RowWriter {
  statement(
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
  ): { text: string; values: unknown[] };
}

export type OutcomeRow = { outcome: WriteOutcome };

export function rowWriter(collection: Collection, types: VectorTypes): RowWriter {
  const columns = collection.fields.map((field) => ({ field, column: columnOf(field, types) }));
  const withoutChunk = upsertSql(
    collection,
    columns.map(({ column }) => column),
    types,
    "",
  );
  const fieldCount = columns.length;
  const withChunk = upsertSql(
    collection,
    columns.map(({ column }) => column),
    types,
    chunkSql(6 + fieldCount),
  );
  return {
    statement(envelopes, chunk) {
      assert(envelopes.length > 0 && envelopes.length <= rowsMax, "rows of one statement");
      assert(new Set(envelopes.map(({ id }) => id)).size === envelopes.length, "an id occurs once");
      const upserts = envelopes.map((envelope) => (envelope.op === "upsert" ? envelope : null));
      const values: unknown[] = [
        binaryArray(
          elementOids.text,
          envelopes.map(({ id }) => textBytes(id)),
        ),
        binaryArray(
          elementOids.int8,
          envelopes.map(({ version }) => int8Bytes(version)),
        ),
        binaryArray(
          elementOids.bool,
          envelopes.map(({ op }) => boolBytes(op === "delete")),
        ),
        binaryArray(
          elementOids.bytea,
          upserts.map((upsert) => upsert?.segmentHashes ?? null),
        ),
        binaryArray(
          types.halfvecOid,
          upserts.map((upsert) => (upsert === null ? null : halfvecBytes(upsert.vector))),
        ),
        ...columns.map(({ field, column }) =>
          column.array(upserts.map((upsert) => upsert?.fields[field.name] ?? null)),
        ),
      ];
      if (chunk === null) return { text: withoutChunk, values };
      return { text: withChunk, values: [...values, ...chunkValues(chunk)] };
    },
  };
}

/**
 * One statement, so one transaction without BEGIN. Ordered by id: batches that overlap lock their rows in the same
 * order, or they would deadlock. `stored` is read before the write: a row that equals our version is a replay of this
 * very write; one that was overtaken meanwhile counts as superseded.
 */
function upsertSql(
  collection: Collection,
  columns: readonly Column[],
  types: VectorTypes,
  chunk: string,
): string {
  const table = liveTable(collection.name);
  const names = collection.fields.map((field) => escapeIdentifier(field.name));
  const aliases = columns.map((_, index) => `f${index}`);
  const entryTypes = [
    "text",
    "bigint",
    "boolean",
    "bytea",
    `${types.schema}.halfvec`,
    ...columns.map((c) => c.entryType),
  ];
  const entries = columns.map(({ cast }, index) => (cast === null ? `f${index}` : `f${index}::${cast}`));
  const written = ["version", "deleted_at", "indexed_at", "segment_hashes", "embedding", ...names];
  return `with input as materialized (
  select * from unnest(${entryTypes.map((type, index) => `$${index + 1}::${type}[]`).join(", ")})
    with ordinality as entry(${["id", "version", "deleted", "segment_hashes", "embedding", ...aliases, "place"].join(", ")})
), stored as materialized (
  select id, version, deleted_at is not null as is_deleted from ${table} where id = any ($1)
), written as (
  insert into ${table} as row (${["id", ...written].join(", ")})
  select ${["id", "version", "case when deleted then now() end", "now()", "segment_hashes", "embedding", ...entries].join(", ")}
  from input order by id collate "C"
  on conflict (id) do update set ${written.map((name) => `${name} = excluded.${name}`).join(", ")}
  where excluded.version > row.version
  returning id
), outcomes as materialized (
  select place, case
    when written.id is null and stored.version is distinct from input.version then 'superseded'
    when case when written.id is null then is_deleted else deleted end then 'tombstoned'
    else 'indexed'
  end as outcome
  from input left join written using (id) left join stored using (id)
)${chunk}
select outcome from outcomes order by place`;
}

function chunkSql(first: number): string {
  return `, chunk as (
  insert into medley_internal.backfill_chunk (run_id, chunk, indexed, tombstoned, superseded, dead_letters)
  select $${first}::text, $${first + 1}::int, $${first + 2}::int + count(*) filter (where outcome = 'indexed'),
    $${first + 3}::int + count(*) filter (where outcome = 'tombstoned'),
    $${first + 4}::int + count(*) filter (where outcome = 'superseded'), $${first + 5}::int
  from outcomes
  on conflict do nothing
)`;
}

/** Of `settledChunkSql`, and the last ones of the statement that writes rows. */
export function chunkValues({ runId, chunk, settled }: ChunkRef): unknown[] {
  return [runId, chunk, settled.indexed, settled.tombstoned, settled.superseded, settled.deadLetters];
}

/** A chunk whose records were all settled before is done all the same. */
export const settledChunkSql = `insert into medley_internal.backfill_chunk
  (run_id, chunk, indexed, tombstoned, superseded, dead_letters) values ($1, $2, $3, $4, $5, $6) on conflict do nothing`;
