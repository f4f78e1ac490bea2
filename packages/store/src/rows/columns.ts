import { createHash } from "node:crypto";
import { contentOf, type Field, type FieldValue, type FieldValues, vectorDimensions } from "@medley/core";
import {
  binaryArray,
  elementOids,
  float8Bytes,
  textBytes,
  timestamptzBytes,
  vectorBytes,
} from "./binary-array.ts";

/** What the extension's types are called and numbered in this database. */
export interface VectorTypes {
  /** Quoted. */
  readonly schema: string;
  readonly vectorOid: number;
  readonly halfvecOid: number;
}

/** How the values of one field travel to Postgres and back. */
export interface Column {
  /** Type of the array parameter's entries. */
  readonly entryType: string;
  /** What the entry is cast to; null where it is of the column's type. */
  readonly cast: string | null;
  array(values: readonly (FieldValue | null)[]): Buffer;
}

export function columnOf(field: Field, types: VectorTypes): Column {
  const column = <Value>(
    [entryType, oid]: readonly [string, number],
    bytes: (value: Value) => Uint8Array,
    cast: string | null = null,
  ): Column => ({
    entryType,
    cast,
    array: (values) =>
      binaryArray(
        oid,
        values.map((value) => (value === null ? null : bytes(value as Value))),
      ),
  });
  const text = ["text", elementOids.text] as const;
  switch (field.type) {
    case "text":
    case "category":
      return column<string>(text, textBytes);
    case "image":
    case "audio":
      return column<string>(text, (value) => textBytes(contentName(value)));
    // An array of arrays would have to be rectangular: each travels as text.
    case "categories":
      return column<FieldValues["categories"]>(text, (value) => textBytes(arrayLiteral(value)), "text[]");
    case "shares":
      return column<FieldValues["shares"]>(text, (value) => textBytes(JSON.stringify(value)), "jsonb");
    case "number":
      return column<number>(["float8", elementOids.float8], (value) => float8Bytes(value));
    case "timestamp":
      return column<number>(["timestamptz", elementOids.timestamptz], timestamptzBytes);
    case "geo":
      return column<FieldValues["geo"]>(["point", elementOids.point], ({ lat, lon }) =>
        float8Bytes(lon, lat),
      );
    default:
      return column<FieldValues["vector"]>([`${types.schema}.vector`, types.vectorOid], vectorBytes);
  }
}

/** A path or address as it is; bytes that came with the record by their hash: a table is no place for megabytes. */
function contentName(value: string): string {
  const content = contentOf(value);
  if (content.kind !== "bytes") return value;
  return `sha256:${createHash("sha256").update(Buffer.from(content.base64, "base64")).digest("hex")}`;
}

function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`).join(",")}}`;
}

/** The expression that gives a field's value as JSON, in the shape of `FieldValues`. */
export function jsonExpression(field: Field, quotedName: string): string {
  if (field.type === "timestamp") return `(extract(epoch from ${quotedName}) * 1000)::float8`;
  if (field.type === "geo")
    return `case when ${quotedName} is not null then jsonb_build_object('lat', ${quotedName}[1], 'lon', ${quotedName}[0]) end`;
  if (vectorDimensions(field.type) !== undefined) return `${quotedName}::real[]`;
  return quotedName;
}
