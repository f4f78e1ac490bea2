import { createHash } from "node:crypto";
import {
  type Collection,
  contentOf,
  type Field,
  type FieldValue,
  labelColumnsOf,
  type VectorEnvelope,
  vectorDimensions,
} from "@medley/core";
import {
  type Codec,
  codedArray,
  elementOids,
  float8Codec,
  pointCodec,
  textCodec,
  timestamptzCodec,
  vectorCodec,
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

/** A column of rows, and what an envelope says for it. */
export interface RowColumn extends Column {
  readonly name: string;
  valueIn(envelope: VectorEnvelope): FieldValue | null;
}

/** Of a collection's fields, then of its tuned spaces. */
export function rowColumnsOf(collection: Collection, types: VectorTypes): readonly RowColumn[] {
  const column = (field: Field, valueIn: RowColumn["valueIn"]): RowColumn => ({
    ...columnOf(field, types),
    name: field.name,
    valueIn,
  });
  return [
    ...collection.fields.map((field) => column(field, ({ fields }) => fields[field.name] ?? null)),
    ...labelColumnsOf(collection).flatMap(({ space, label, probability }) => [
      column({ name: label, type: "category" }, ({ labels }) => labels?.[space]?.label ?? null),
      // Postgres rounds it to the column's single precision.
      column({ name: probability, type: "number" }, ({ labels }) => labels?.[space]?.probability ?? null),
    ]),
  ];
}

export function columnOf(field: Field, types: VectorTypes): Column {
  const column = <Value>(entryType: string, oid: number, codec: Codec<Value>): Column => ({
    entryType,
    cast: null,
    array: (values) => codedArray(oid, values as readonly (Value | null)[], codec),
  });
  const textOf = <Value>(written: (value: Value) => string, cast: string | null = null): Column => ({
    entryType: "text",
    cast,
    array: (values) =>
      codedArray(
        elementOids.text,
        values.map((value) => (value === null ? null : written(value as Value))),
        textCodec,
      ),
  });
  switch (field.type) {
    case "text":
    case "category":
      return column("text", elementOids.text, textCodec);
    case "image":
    case "audio":
      return textOf(contentName);
    // An array of arrays would have to be rectangular: each travels as text.
    case "categories":
      return textOf(arrayLiteral, "text[]");
    case "shares":
    case "edges":
    case "series":
      return textOf(JSON.stringify, "jsonb");
    case "number":
      return column("float8", elementOids.float8, float8Codec);
    case "timestamp":
      return column("timestamptz", elementOids.timestamptz, timestamptzCodec);
    case "geo":
      return column("point", elementOids.point, pointCodec);
    default:
      return column(`${types.schema}.vector`, types.vectorOid, vectorCodec);
  }
}

/** A path or address as it is; bytes that came with the record by their hash: a table is no place for megabytes. */
function contentName(value: string): string {
  const content = contentOf(value);
  if (content.kind !== "bytes") return value;
  return `sha256:${createHash("sha256").update(Buffer.from(content.base64, "base64")).digest("hex")}`;
}

function arrayLiteral(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

/** The expression that gives a field's value as JSON, in the shape of `FieldValues`. */
export function jsonExpression(field: Field, quotedName: string): string {
  if (field.type === "timestamp") return `(extract(epoch from ${quotedName}) * 1000)::float8`;
  if (field.type === "geo")
    return `case when ${quotedName} is not null then jsonb_build_object('lat', ${quotedName}[1], 'lon', ${quotedName}[0]) end`;
  if (vectorDimensions(field.type) !== undefined) return `${quotedName}::real[]`;
  return quotedName;
}
