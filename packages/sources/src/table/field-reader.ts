import { type Field, fail, type Result, succeed, vectorDimensions } from "@medley/core";
import pg from "pg";
import type { TableColumn } from "./table-shape.ts";

const { escapeLiteral } = pg;

/** How one column becomes the value of a field that `parseRecord` takes. */
export interface FieldReader {
  /** The expression over a column, whatever the session's settings for dates and bytes. */
  readonly sql: (column: string) => string;
  /** Of what that expression prints; null stays null. */
  readonly read: (text: string) => unknown;
}

const asText = (column: string) => `${column}::pg_catalog.text`;
const asJson = (column: string) => `pg_catalog.to_json(${column})::pg_catalog.text`;
const textReader: FieldReader = { sql: asText, read: (text) => text };
const jsonReader: FieldReader = { sql: asText, read: (text) => JSON.parse(text) };
const arrayReader: FieldReader = { sql: asJson, read: (text) => JSON.parse(text) };
const numberReader: FieldReader = { sql: asText, read: Number };
// As texts: an id may be an integer above 2^53.
const idsReader: FieldReader = {
  sql: (column) => asJson(`${column}::pg_catalog.text[]`),
  read: (text) => JSON.parse(text),
};
const namesReader: FieldReader = { sql: asJson, read: (text) => namesOf(JSON.parse(text)) };
const pointReader: FieldReader = {
  sql: (column) => `(${column}[0])::pg_catalog.text || ',' || (${column}[1])::pg_catalog.text`,
  read: (text) => {
    const [lon, lat] = text.split(",").map(Number);
    return { lat, lon };
  },
};
const bytesReader: FieldReader = {
  sql: (column) => `pg_catalog.encode(${column}, 'base64')`,
  read: (text) => ({ base64: text.replaceAll("\n", "") }),
};

/** Milliseconds since 1970; an infinite one is no date, which the check of the record says. */
function epochReader(ofColumn: (column: string) => string): FieldReader {
  const sql = (column: string) =>
    `(pg_catalog.date_part('epoch', ${ofColumn(column)}) * 1000)::pg_catalog.text`;
  return { sql, read: Number };
}

/** Numbers in an array of Postgres stand for categories by their digits; what is no list or holds lists is for the check of the record. */
function namesOf(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((entry) => (typeof entry === "number" ? String(entry) : entry));
}

const scalars = ["text", "uuid", "enum", "boolean", "integer", "numeric"] as const;

/** The reader, or what is wrong with column and field, with the mend. `zone`: of a timestamp without one. */
export function fieldReader(
  field: Field,
  column: TableColumn,
  zone: string | null,
): Result<FieldReader, string> {
  const found = readerOf(field, column, zone);
  if (typeof found !== "string") return succeed(found);
  const type = `${column.kind === "other" ? column.type : column.kind}${column.isArray ? "[]" : ""}`;
  return fail(`column "${column.name}" (${type}) can't be a field of type ${field.type}: ${found}`);
}

function readerOf(field: Field, column: TableColumn, zone: string | null): FieldReader | string {
  const { kind, isArray } = column;
  const isScalar = !isArray && (scalars as readonly string[]).includes(kind);
  if (vectorDimensions(field.type) !== undefined) return vectorReader(column);
  switch (field.type as Exclude<typeof field.type, `vector(${number})`>) {
    case "text":
      if (isScalar || (kind === "json" && !isArray)) return textReader;
      return "it takes text, uuid, enum, boolean, integer, numeric, json and jsonb";
    case "category":
      return isScalar ? textReader : "it takes text, uuid, enum, boolean, integer and numeric";
    case "categories":
      if (kind === "json" && !isArray) return { ...jsonReader, read: (text) => namesOf(JSON.parse(text)) };
      if (isArray && ["text", "uuid", "enum", "integer"].includes(kind)) return namesReader;
      return "it takes arrays of text, uuid, enum or integer, and json and jsonb that hold a list of strings";
    case "shares":
      return kind === "json" && !isArray
        ? jsonReader
        : "it takes json and jsonb, an object of names to numbers";
    case "number":
      if (!isArray && ["integer", "numeric", "float"].includes(kind)) return numberReader;
      return "it takes integer, numeric and float columns";
    case "timestamp":
      return timestampReader(column, zone);
    case "geo":
      return kind === "point" && !isArray
        ? pointReader
        : `it takes point, or two columns of numbers as { lat: "…", lon: "…" }`;
    case "edges":
      if (kind === "json" && !isArray) return jsonReader;
      if (isArray && ["text", "uuid", "integer"].includes(kind)) return idsReader;
      return "it takes arrays of text, uuid or integer, and json and jsonb: a list of ids, or an object of ids to weights";
    case "series":
      if (kind === "json" && !isArray) return jsonReader;
      if (isArray && ["float", "integer", "numeric"].includes(kind)) return arrayReader;
      return "it takes arrays of numbers, with one or two dimensions, and json and jsonb that hold a series";
    case "image":
    case "audio":
      if (isArray) return "it takes bytea, or text that holds a path or address";
      if (kind === "bytea") return bytesReader;
      return kind === "text" ? textReader : "it takes bytea, or text that holds a path or address";
  }
}

function vectorReader({ kind, isArray }: TableColumn): FieldReader | string {
  if (!isArray && (kind === "vector" || kind === "json")) return jsonReader;
  if (isArray && ["float", "integer", "numeric"].includes(kind)) return arrayReader;
  return "it takes vector and halfvec of pgvector, arrays of numbers, and json and jsonb that hold one";
}

function timestampReader({ kind, isArray }: TableColumn, zone: string | null): FieldReader | string {
  if (isArray) return "it takes one date, not a list";
  if (kind === "timestamp") {
    if (zone === null) return `it has no time zone, so name the one it is in: { column: "…", zone: "UTC" }`;
    return epochReader((column) => `pg_catalog.timezone(${escapeLiteral(zone)}, ${column})`);
  }
  if (zone !== null) return "only a timestamp without time zone takes a zone; give the column alone";
  if (kind === "timestamptz" || kind === "date") return epochReader((column) => column);
  return "it takes timestamptz, date, and timestamp with the zone that it is in";
}

/** The two columns of a place. */
export function placeReader(column: TableColumn): Result<FieldReader, string> {
  if (!column.isArray && ["integer", "numeric", "float"].includes(column.kind)) return succeed(numberReader);
  return fail(`column "${column.name}" can't be half of a place: it must be a number`);
}
