import {
  type Collection,
  firstGeneration,
  labelColumnsOf,
  type SegmentLayout,
  vectorDimensions,
} from "@medley/core";
import pg from "pg";

import { textColumn, textColumnSql } from "./text-columns.ts";

const { escapeIdentifier, escapeLiteral } = pg;

/** Of the table of a generation of a collection's rows, in schema medley_internal. */
export function tableName(collection: string, generation: number): string {
  return `${collection}_g${generation}`;
}

/** As SQL names it. */
export function rowTable(collection: string, generation: number = firstGeneration): string {
  return `medley_internal.${escapeIdentifier(tableName(collection, generation))}`;
}

/**
 * A tenth of each page stays free, so that most changes of a row that leave its vector as it is need no new entry in the
 * index. Vacuumed at a tenth of dead rows instead of a fifth, since a search walks over dead entries, and five times as fast
 * as Postgres would, since an HNSW index is read and mended whole. 0005-table-upkeep.sql gives older tables the same.
 */
const upkeep =
  "fillfactor = 90, autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_limit = 1000";

const ownColumns = ["id", "version", "deleted_at", "indexed_at", "segment_hashes", "embedding"];

/** Whether a column of a table of rows is no field or label. Those that only some tables have begin as no field does. */
export function isOwnColumn(name: string): boolean {
  return name.startsWith("_") || ownColumns.includes(name);
}

/** The table, and the view of its live rows that functions read: so a role needs no right to the table. */
export function createRowsSql(
  { collection, layout }: { readonly collection: Collection; readonly layout: readonly SegmentLayout[] },
  generation: number,
  vectorSchema: string,
): string {
  const typed = typedColumns(collection, vectorSchema);
  const columns = [
    `id text collate "C" primary key`,
    `version bigint not null`,
    `deleted_at timestamptz`,
    `indexed_at timestamptz not null`,
    `segment_hashes bytea`,
    // Kept in the row when its texts are moved out: every exact scan reads it.
    `embedding ${escapeIdentifier(vectorSchema)}.halfvec(${dimensionsOf(layout)}) storage main`,
    ...typed.map(({ definition }) => definition),
    ...collection.texts.map(textColumnSql),
  ];
  return `create table ${rowTable(collection.name, generation)} (\n  ${columns.join(",\n  ")}\n) with (${upkeep});
${rowsViewSql(collection.name, generation, [...typed.map(({ name }) => name), ...collection.texts.map(textColumn)])}`;
}

export function dimensionsOf(layout: readonly Pick<SegmentLayout, "dimensions">[]): number {
  return layout.reduce((sum, { dimensions }) => sum + dimensions, 0);
}

/** `shown`, fields, labels and texts, in the order of the table, so that what is new comes last: a view can only grow at its end. */
export function rowsViewSql(collection: string, generation: number, shown: readonly string[]): string {
  const view = escapeIdentifier(`${tableName(collection, generation)}_rows`);
  const columns = ["id", "version", "indexed_at", "embedding", ...shown.map(escapeIdentifier)];
  return `create or replace view medley_internal.${view} as
select ${columns.join(", ")} from ${rowTable(collection, generation)} where deleted_at is null;`;
}

/** Before a column of it goes. */
export function dropRowsViewSql(collection: string, generation: number): string {
  return `drop view medley_internal.${escapeIdentifier(`${tableName(collection, generation)}_rows`)};`;
}

/** What users read: of one generation now, of another later, without a change that they could notice. */
export function liveView(
  collection: string,
  generation: number,
  typed: readonly string[],
  vectorSchema: string,
): string {
  // A view's column can't get another type, and generations have other dimensions: so it says none.
  const embedding = `embedding::${escapeIdentifier(vectorSchema)}.halfvec as embedding`;
  const columns = ["id", "version", "indexed_at", embedding, ...typed.map(escapeIdentifier)];
  return `create or replace view medley.${escapeIdentifier(collection)} as
select ${columns.join(", ")} from ${rowTable(collection, generation)} where deleted_at is null`;
}

/** A statement that puts it in the place of the one before. */
export function replaceViewSql(collection: string, definition: string): string {
  return `select medley_internal.replace_view(${escapeLiteral(collection)}, ${escapeLiteral(definition)});`;
}

export interface TypedColumn {
  readonly name: string;
  readonly of: "field" | "label";
  /** As in `create table`. */
  readonly definition: string;
}

/** What a row says besides its vector: its fields, then what is told of it. */
export function typedColumns(collection: Collection, vectorSchema: string): readonly TypedColumn[] {
  const column = (of: TypedColumn["of"], name: string, type: string) => ({
    name,
    of,
    definition: `${escapeIdentifier(name)} ${type}`,
  });
  return [
    ...collection.fields.map(({ name, type }) => column("field", name, columnType(type, vectorSchema))),
    ...labelColumnsOf(collection).flatMap(({ label, probability }) => [
      column("label", label, "text"),
      column("label", probability, "real"),
    ]),
  ];
}

function columnType(type: string, vectorSchema: string): string {
  switch (type) {
    case "text":
    case "image":
    case "audio":
    case "category":
      return "text";
    case "categories":
      return "text[]";
    case "shares":
    case "edges":
    case "series":
      return "jsonb";
    case "number":
      return "float8";
    case "timestamp":
      return "timestamptz";
    // x is the longitude, y the latitude.
    case "geo":
      return "point";
    default:
      return `${escapeIdentifier(vectorSchema)}.vector(${vectorDimensions(type)})`;
  }
}
