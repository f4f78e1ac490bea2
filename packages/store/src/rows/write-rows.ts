import { strict as assert } from "node:assert";
import type { ChunkRef, Collection, VectorEnvelope, WriteOutcome } from "@medley/core";
import pg from "pg";
import { boolCodec, codedArray, elementOids } from "./binary-array.ts";
import { type RowColumn, rowColumnsOf, type VectorTypes } from "./columns.ts";
import { segmentArrays } from "./segment-arrays.ts";

const { escapeIdentifier } = pg;

/** Of one statement; a packet is smaller. */
export const rowsMax = 1_000;

/** The guarded upsert of one collection: its text is made once, its parameters per batch. */
export interface RowWriter {
  statement(envelopes: readonly VectorEnvelope[], chunk: ChunkRef | null): RowStatement;
}

export interface RowStatement {
  readonly text: string;
  readonly values: unknown[];
  /** What the statement's one row says, one outcome per envelope in their order. */
  outcomesOf(row: OutcomesRow): readonly WriteOutcome[];
}

/** A letter per row, in the order of ids. */
export interface OutcomesRow {
  readonly letters: string;
}

const outcomeOf: Readonly<Record<string, WriteOutcome>> = { i: "indexed", t: "tombstoned", s: "superseded" };

export interface RowTable {
  readonly collection: Collection;
  /** As SQL names it. */
  readonly table: string;
  /** Whether the rows come from another generation: then they are not noted for it again. */
  readonly carries: boolean;
}

export function rowWriter(target: RowTable, types: VectorTypes): RowWriter {
  const columns = rowColumnsOf(target.collection, types);
  const parts = { ...target, columns, types };
  const withoutChunk = upsertSql(parts, { chunk: false });
  const withChunk = upsertSql(parts, { chunk: true });
  return {
    statement(envelopes, chunk) {
      assert(envelopes.length > 0 && envelopes.length <= rowsMax, "rows of one statement");
      assert(new Set(envelopes.map(({ id }) => id)).size === envelopes.length, "an id occurs once");
      const order = orderOf(envelopes);
      const ordered = order.map((place) => envelopes[place] as VectorEnvelope);
      const upserts = ordered.map((envelope) => (envelope.op === "upsert" ? envelope : null));
      const deleted = ordered.map(({ op }) => op === "delete");
      const { ids, versions, hashes, vectors } = segmentArrays(ordered, upserts, types);
      const values: unknown[] = [
        ids,
        versions,
        codedArray(elementOids.bool, deleted, boolCodec),
        hashes,
        vectors,
        ...columns.map((column) => column.array(upserts.map((upsert) => upsert && column.valueIn(upsert)))),
        deleted.map((isDeleted) => (isDeleted ? "t" : "i")).join(""),
      ];
      const outcomesOf = ({ letters }: OutcomesRow) => outcomesInOrder(letters, order);
      if (chunk === null) return { text: withoutChunk, values, outcomesOf };
      return { text: withChunk, values: [...values, ...chunkValues(chunk)], outcomesOf };
    },
  };
}

/** The places of envelopes in the order of their ids: any order will do that is the same for all writers. */
function orderOf(envelopes: readonly VectorEnvelope[]): readonly number[] {
  const ids = envelopes.map(({ id }) => id);
  return ids.map((_, place) => place).sort((a, b) => ((ids[a] as string) < (ids[b] as string) ? -1 : 1));
}

function outcomesInOrder(letters: string, order: readonly number[]): readonly WriteOutcome[] {
  assert.equal(letters.length, order.length, "an outcome per row");
  const outcomes: WriteOutcome[] = new Array(order.length);
  for (const [at, place] of order.entries())
    outcomes[place] = outcomeOf[letters[at] as string] as WriteOutcome;
  return outcomes;
}

/**
 * One statement, so one transaction without BEGIN. Rows come and are written in the order of their ids: batches that
 * overlap lock them in the same order, or they would deadlock. Arrays unnested side by side give their rows one by one, in
 * order, and nothing stands between them and the insert; as tables (`from unnest(...)`) each would be stored first.
 *
 * Where every row was written, which is the rule, the answer is what the caller expects (the last array but the chunk's):
 * only else are the rows looked at one by one, as they were before the write. One that equals our version is a replay of
 * this very write; one that was overtaken meanwhile counts as superseded. The setting of a carrier is read by triggers, which come
 * after the statement's last row.
 */
function upsertSql(
  { table, carries, columns, types }: RowTable & { columns: readonly RowColumn[]; types: VectorTypes },
  { chunk }: { chunk: boolean },
): string {
  const names = columns.map(({ name }) => escapeIdentifier(name));
  const aliases = columns.map((_, index) => `f${index}`);
  const entryTypes = [
    "text",
    "bigint",
    "boolean",
    "bytea",
    `${types.schema}.halfvec`,
    ...columns.map((c) => c.entryType),
  ];
  const expected = entryTypes.length + 1;
  const entries = columns.map(({ cast }, index) => (cast === null ? `f${index}` : `f${index}::${cast}`));
  const written = ["version", "deleted_at", "indexed_at", "segment_hashes", "embedding", ...names];
  return `with written as (
  insert into ${table} as row (${["id", ...written].join(", ")})
  select ${["id", "version", "case when deleted then now() end", "now()", "segment_hashes", "embedding", ...entries].join(", ")}
  from (select ${entryTypes.map((type, index) => `unnest($${index + 1}::${type}[])`).join(", ")})
    as input (${["id", "version", "deleted", "segment_hashes", "embedding", ...aliases].join(", ")})
  on conflict (id) do update set ${written.map((name) => `${name} = excluded.${name}`).join(", ")}
  where excluded.version > row.version
  returning id
), outcomes as materialized (
  select case when (select count(*) from written) = cardinality($1) then $${expected}::text else (
    select string_agg(case
      when written.id is not null then substr($${expected}::text, place::int, 1)
      else coalesce((
        select case when stored.deleted_at is null then 'i' else 't' end
        from ${table} as stored where stored.id = input.id and stored.version = input.version
      ), 's')
    end, '' order by place)
    from unnest($1::text[], $2::bigint[]) with ordinality as input (id, version, place) left join written using (id)
  ) end as letters
)${chunk ? chunkSql(expected + 1) : ""}
select letters${carries ? ", set_config('medley.carries', 'on', true)" : ""} from outcomes`;
}

function chunkSql(first: number): string {
  const countOf = (letter: string) => `length(letters) - length(replace(letters, '${letter}', ''))`;
  return `, chunk as (
  insert into medley_internal.backfill_chunk (run_id, chunk, indexed, tombstoned, superseded, dead_letters)
  select $${first}::text, $${first + 1}::int, $${first + 2}::int + ${countOf("i")},
    $${first + 3}::int + ${countOf("t")}, $${first + 4}::int + ${countOf("s")}, $${first + 5}::int
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
