import { strict as assert } from "node:assert";
import {
  type Collection,
  type Field,
  type FieldColumn,
  MedleyError,
  type RowCondition,
  type RowValue,
  suggestion,
  type TableSource,
} from "@medley/core";
import pg from "pg";
import { type FieldReader, fieldReader, placeReader } from "./field-reader.ts";
import { quotedTable, type TableColumn, type TableShape } from "./table-shape.ts";

const { escapeIdentifier } = pg;

/** One entry of the select list. */
export interface PlannedColumn {
  readonly column: TableColumn;
  readonly reader: FieldReader;
}

export interface PlannedField {
  readonly field: Field;
  /** Positions in `TablePlan.selected`: one, or latitude and longitude. */
  readonly at: readonly number[];
}

/** How the rows of one table become records of one collection: made from the configuration and the table's shape. */
export interface TablePlan {
  readonly collection: Collection;
  readonly source: TableSource;
  readonly shape: TableShape;
  /** `public.products`, for messages and dead letters. */
  readonly name: string;
  /** The table, quoted. */
  readonly table: string;
  readonly key: readonly TableColumn[];
  readonly selected: readonly PlannedColumn[];
  readonly fields: readonly PlannedField[];
  /** Of a collection whose records bring their versions. */
  readonly version: TableColumn | null;
  readonly conditions: readonly (readonly [TableColumn, RowCondition])[];
  /** Columns whose change is a change of the record, the key left out. */
  readonly watched: readonly TableColumn[];
}

const keyKinds: readonly string[] = ["text", "uuid", "integer"];

/** Throws `MedleyError` `source_mismatch` that lists every problem with its mend. */
export function planTable(collection: Collection, source: TableSource, shape: TableShape): TablePlan {
  const problems: string[] = [];
  const name = `${shape.schema}.${shape.name}`;
  const column = (wanted: string, what: string): TableColumn | undefined => {
    const found = shape.columns.get(wanted);
    if (found === undefined)
      problems.push(
        `${what}: there is no column "${wanted}"; ${suggestion(wanted, [...shape.columns.keys()])}`,
      );
    return found;
  };
  const key = keyOf(source, shape, column, problems);
  const { selected, fields } = fieldsOf(collection, source, column, problems);
  const version = versionOf(collection, source, column, problems);
  const conditions = Object.entries(source.where ?? {}).flatMap(([wanted, condition]) => {
    const found = column(wanted, "where");
    return found === undefined ? [] : [[found, condition] as const];
  });
  for (const [{ name: conditioned, exact, kind }] of conditions) {
    if (!exact && kind !== "numeric" && kind !== "text")
      problems.push(
        `where: column "${conditioned}" is of a type that has no exact comparison; choose another`,
      );
  }
  if (problems.length > 0) {
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    throw new MedleyError("source_mismatch", `collection ${collection.name}, table ${name}:${list}`, {
      mend: "correct the source in medley.config.ts, or the table",
    });
  }
  const watched = new Map(
    [
      ...selected.map((entry) => entry.column),
      ...conditions.map(([conditioned]) => conditioned),
      ...(version === null ? [] : [version]),
    ].map((one) => [one.name, one]),
  );
  for (const { name: keyName } of key) watched.delete(keyName);
  return {
    collection,
    source,
    shape,
    name,
    table: quotedTable(shape),
    key,
    selected,
    fields,
    version,
    conditions,
    watched: [...watched.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

type FindColumn = (wanted: string, what: string) => TableColumn | undefined;

function keyOf(
  source: TableSource,
  shape: TableShape,
  column: FindColumn,
  problems: string[],
): TableColumn[] {
  const names = source.key === undefined ? shape.primaryKey : [source.key].flat();
  if (names.length === 0) {
    problems.push(`it has no primary key; name the column that names a row: key: "…"`);
    return [];
  }
  const key = names.flatMap((wanted) => column(wanted, "key") ?? []);
  for (const { name, kind, type, isArray, notNull, exact } of key) {
    if (isArray || !keyKinds.includes(kind) || (kind === "text" && !exact))
      problems.push(
        `key: column "${name}" is ${type}; a key is made of integer, text or uuid columns (text of a deterministic collation)`,
      );
    if (shape.kind === "table" && !notNull)
      problems.push(`key: column "${name}" may be null; make it not null, or choose another`);
  }
  const isUnique = shape.uniqueKeys.some((unique) => unique.every((part) => names.includes(part)));
  if (shape.kind === "table" && !isUnique)
    problems.push(
      `key: ${names.join(", ")} may name several rows; give it a unique index, or choose another`,
    );
  return key;
}

function fieldsOf(
  collection: Collection,
  source: TableSource,
  column: FindColumn,
  problems: string[],
): Pick<TablePlan, "selected" | "fields"> {
  const selected: PlannedColumn[] = [];
  const fields: PlannedField[] = [];
  const map = (source.map ?? {}) as Readonly<Record<string, FieldColumn<"timestamp" | "geo">>>;
  for (const field of collection.fields) {
    const given = map[field.name] ?? field.name;
    const names =
      typeof given === "string" ? [given] : "lat" in given ? [given.lat, given.lon] : [given.column];
    const zone = typeof given === "object" && "zone" in given ? given.zone : null;
    const at: number[] = [];
    for (const wanted of names) {
      const found = column(wanted, `field "${field.name}"`);
      if (found === undefined) continue;
      const reader = names.length === 2 ? placeReader(found) : fieldReader(field, found, zone);
      if (!reader.ok) problems.push(reader.failure);
      else at.push(selected.push({ column: found, reader: reader.value }) - 1);
    }
    fields.push({ field, at });
  }
  return { selected, fields };
}

function versionOf(
  collection: Collection,
  source: TableSource,
  column: FindColumn,
  problems: string[],
): TableColumn | null {
  if (collection.versionKey === null) return null;
  const found = column(source.version ?? collection.versionKey, "version");
  if (found !== undefined && (found.kind !== "integer" || found.isArray || !found.notNull))
    problems.push(`version: column "${found.name}" must be an integer that is not null`);
  return found ?? null;
}

/** The parts of a key as the record's id: one as it is, several joined by `:`, with `%` and `:` in them as `%25` and `%3A`. */
export function idOfKey(key: readonly string[]): string {
  assert(key.length > 0);
  if (key.length === 1) return key[0] as string;
  return key.map((part) => part.replaceAll("%", "%25").replaceAll(":", "%3A")).join(":");
}

/** The record as it came, for `parseRecord`: values in the order of `plan.selected`. */
export function recordOf(
  plan: TablePlan,
  key: readonly string[],
  texts: readonly (string | null)[],
  version: string | null,
): Record<string, unknown> {
  const { collection, selected, fields } = plan;
  const value = (at: number) => {
    const text = texts[at] ?? null;
    return text === null ? null : (selected[at] as PlannedColumn).reader.read(text);
  };
  const record: Record<string, unknown> = { [collection.idKey]: idOfKey(key) };
  if (collection.versionKey !== null) record[collection.versionKey] = version;
  for (const { field, at } of fields) {
    const [first, second] = at.map(value);
    const isPlace = at.length === 2 && (first !== null || second !== null);
    record[field.name] = at.length === 2 ? (isPlace ? { lat: first, lon: second } : null) : first;
  }
  return record;
}

/** The conditions over the table or row called `row`; empty where there are none. */
export function conditionSql(
  { conditions }: TablePlan,
  row: string,
  literal: (value: RowValue, column: TableColumn) => string,
): string {
  return conditions
    .map(([column, condition]) => {
      const name = `${row}.${escapeIdentifier(column.name)}`;
      if (condition === null) return `${name} is null`;
      const values = ([condition].flat() as RowValue[]).map((value) => literal(value, column));
      return `(${values.map((value) => `${name} operator(pg_catalog.=) ${value}`).join(" or ")})`;
    })
    .join(" and ");
}
