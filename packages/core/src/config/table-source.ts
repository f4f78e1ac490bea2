import { z } from "zod";
import { suggestion } from "../closest.ts";
import type { Fields } from "../fields.ts";
import type { SourceCollection } from "./topic-source.ts";

/** A `timestamp` (without time zone) is an instant only together with the zone that its clock was in: `Europe/Berlin`, `UTC`. */
export interface ZonedColumn {
  readonly column: string;
  readonly zone: string;
}

export interface PlaceColumns {
  readonly lat: string;
  readonly lon: string;
}

/** Where a field's value is: a column; for a timestamp also with its zone; for a place also as two columns. */
export type FieldColumn<Type> =
  | string
  | (Type extends "timestamp" ? ZonedColumn : never)
  | (Type extends "geo" ? PlaceColumns : never);

export type RowValue = string | number | boolean;
/** What a column must be: a value, one of several, or null. */
export type RowCondition = RowValue | readonly RowValue[] | null;

/**
 * A table of Postgres as a source: its rows become records of the collection, by a backfill and, through triggers that
 * `medley sources install` makes, at every change. A view can be backfilled, but Postgres runs no triggers for changes below it.
 */
export interface TableSource<F extends Fields = Fields> {
  readonly kind: "postgres";
  /** `public.products`; without a schema `public` is meant. */
  readonly table: string;
  /** The environment variable with the database's address; with `_FILE` after its name, the file that has it. Default: Medley's own database. */
  readonly urlVariable?: string;
  /** The columns that name a row; several are joined by `:`. Default: the primary key. */
  readonly key?: string | readonly string[];
  /** Fields whose column is not called as they are. What no field names is not read, and its changes cost nothing. */
  readonly map?: { readonly [Name in keyof F & string]?: FieldColumn<F[Name]> };
  /** Of a collection with a `version`: the column of the integer. Default: the column of the same name. */
  readonly version?: string;
  /** Only rows whose columns are so; one that ceases to be so is deleted from the collection. */
  readonly where?: Readonly<Record<string, RowCondition>>;
  /** False: backfills only, so no triggers are asked for. Default true. */
  readonly changes?: boolean;
  /**
   * False: triggers do not wake Medley (`pg_notify`, whose lock makes the commits of a database wait for each other), which then finds
   * changes within half a second. Default true.
   */
  readonly notify?: boolean;
}

const column = z.string().min(1).max(63);
const rowValue = z.union([z.string(), z.number(), z.boolean()]);

export const tableSourceShape = z.strictObject({
  kind: z.literal("postgres"),
  table: z.string(),
  urlVariable: z
    .string()
    .regex(/^[A-Z_][A-Z0-9_]*$/)
    .optional(),
  key: z.union([column, z.array(column).min(1).max(8)]).optional(),
  map: z
    .record(
      z.string(),
      z.union([
        column,
        z.strictObject({ column, zone: z.string().min(1).max(64) }),
        z.strictObject({ lat: column, lon: column }),
      ]),
    )
    .optional(),
  version: column.optional(),
  where: z.record(column, z.union([rowValue, z.array(rowValue).min(1).max(100), z.null()])).optional(),
  changes: z.boolean().optional(),
  notify: z.boolean().optional(),
});

const tablePattern = /^[^".\0]{1,63}(\.[^".\0]{1,63})?$/;

/** `products` is `public.products`. */
export function tableName(table: string): { readonly schema: string; readonly name: string } {
  const [first = "", second] = table.split(".");
  return second === undefined ? { schema: "public", name: first } : { schema: first, name: second };
}

/** Each problem with its mend. Whether the columns exist is asked of the database when the source is opened. */
export function* tableSourceProblems(source: TableSource, collection: SourceCollection): Generator<string> {
  if (!tablePattern.test(source.table)) {
    yield `${JSON.stringify(source.table)} is no table's name; write schema.table, as Postgres has them, without quotes`;
  }
  const keys = [source.key ?? []].flat();
  if (new Set(keys).size < keys.length) yield "key: a column is named twice; remove one";
  for (const [field, given] of Object.entries(source.map ?? {})) {
    yield* columnProblems(field, given as FieldColumn<"timestamp" | "geo">, collection);
  }
  if (source.version !== undefined && collection.versionKey === null) {
    yield `version: "${source.version}" holds numbers of the table's own, but records that come by HTTP or file get theirs from the clock, which is above them; give the collection a "version" key, or leave this out`;
  }
}

function* columnProblems(
  field: string,
  given: string | ZonedColumn | PlaceColumns,
  { fields }: SourceCollection,
): Generator<string> {
  const type = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (type === undefined) {
    yield `map: field "${field}" does not exist; ${suggestion(field, Object.keys(fields))}`;
  } else if (typeof given === "object" && "zone" in given) {
    if (type !== "timestamp")
      yield `map: field "${field}" is ${type}, and only a timestamp has a zone; give the column alone`;
    if (!isZone(given.zone))
      yield `map: field "${field}": ${JSON.stringify(given.zone)} is no time zone; write one like "Europe/Berlin" or "UTC"`;
  } else if (typeof given === "object" && type !== "geo") {
    yield `map: field "${field}" is ${type}, and only a place has "lat" and "lon"; give the column alone`;
  }
}

/** Offsets are left out: Postgres reads the sign of `+02:00` the other way round. */
function isZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
