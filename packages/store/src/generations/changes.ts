import {
  type ChangedRows,
  type Collection,
  MedleyError,
  packetRecordsMax,
  type StoredRow,
} from "@medley/core";
import pg from "pg";
import { type Leased, leasedBatch, leaseSql } from "../leases.ts";
import { rowTable } from "../migrations/row-tables.ts";
import { jsonExpression, type VectorTypes } from "../rows/columns.ts";
import { readSegmentsRow, type SegmentsRow, segmentsSql } from "../rows/read-segments.ts";

const { escapeIdentifier } = pg;

const takeSql = leaseSql(
  "medley_internal.generation_change",
  "collection = $1 and generation = $2",
  packetRecordsMax,
);

export async function takeChanges(
  pool: pg.Pool,
  collection: string,
  generation: number,
): Promise<ChangedRows | null> {
  const { rows } = await pool.query<Leased>(takeSql, [collection, generation]);
  return rows.length === 0 ? null : { collection, generation, ...leasedBatch(rows) };
}

/** Throws `generation_gone` where a collection is there, and this generation of its rows is not. */
export async function requireGeneration(
  pool: pg.Pool,
  collection: string,
  generation: number,
): Promise<void> {
  const { rows } = await pool.query<{ gone: boolean }>(
    `select exists (select from medley_internal.collections where name = $1 and generation <> $2)
  and not exists (select from medley_internal.generations where collection = $1 and generation = $2) as gone`,
    [collection, generation],
  );
  if (!rows[0]?.gone) return;
  const what = `collection "${collection}" has no generation ${generation} any more`;
  throw new MedleyError("generation_gone", what);
}

export async function finishChanges(pool: pg.Pool, { positions }: ChangedRows): Promise<void> {
  await pool.query("delete from medley_internal.generation_change where position = any ($1::bigint[])", [
    positions,
  ]);
}

/** A read of one generation's rows for another, which may have other fields. */
export interface RowsAsked {
  readonly collection: Collection;
  readonly generation: number;
  readonly ids: readonly string[];
}

export async function readRows(
  pool: pg.Pool,
  types: VectorTypes,
  { collection, generation, ids }: RowsAsked,
): Promise<ReadonlyMap<string, StoredRow>> {
  const table = rowTable(collection.name, generation);
  const { rows: there } = await pool.query<{ name: string }>(
    "select attname::text as name from pg_attribute where attrelid = to_regclass($1) and attnum > 0 and not attisdropped",
    [table],
  );
  const shown = collection.fields.filter(({ name }) => there.some((column) => column.name === name));
  const columns = shown.map(
    (field, index) => `${jsonExpression(field, `row.${escapeIdentifier(field.name)}`)} as f${index}`,
  );
  // Segments as the embedding stage reads them, fields as a training does: in one statement, so of one version.
  const text = `select segments.*${columns.map((column) => `, ${column}`).join("")}
from (${segmentsSql(table, types)}) as segments join ${table} as row using (id)`;
  const { rows } = await pool.query<SegmentsRow & Readonly<Record<string, unknown>>>(text, [ids]);
  return new Map(
    rows.map((row) => {
      const values = shown.map(({ name }, index) => [name, (row[`f${index}`] ?? null) as never] as const);
      const missing = collection.fields.map(({ name }) => [name, null] as const);
      return [row.id, { ...readSegmentsRow(row), fields: Object.fromEntries([...missing, ...values]) }];
    }),
  );
}
