import { type Collection, MedleyError, type RecordFields } from "@medley/core";
import pg from "pg";
import { jsonExpression } from "./columns.ts";
import { rowsById } from "./rows-by-id.ts";

const { escapeIdentifier } = pg;

export interface StoredRecord {
  readonly id: string;
  readonly fields: RecordFields;
}

export interface ReadRecordsOptions {
  /** Another collection's name, whose view has the fields too. Default: the collection's own. */
  readonly from?: string;
  /** Of one statement. Default 500: some megabytes of long texts. */
  readonly pageRowsMax?: number;
}

const pageRowsDefault = 500;

/**
 * The live records of a collection's view in order of id, by its typed columns: the fields that `collection` names.
 * Throws `collection_unknown` where there is no such view, `schema_conflict` where it lacks a column.
 */
export async function* readRecords(
  pool: pg.Pool,
  collection: Collection,
  { from = collection.name, pageRowsMax = pageRowsDefault }: ReadRecordsOptions = {},
): AsyncGenerator<StoredRecord, void, void> {
  const columns = collection.fields.map(
    (field, index) => `${jsonExpression(field, `row.${escapeIdentifier(field.name)}`)} as f${index}`,
  );
  try {
    for await (const row of rowsById<RecordRow>(pool, from, { columns, pageRowsMax })) {
      const values = collection.fields.map(({ name }, index) => [name, row[`f${index}`] ?? null]);
      yield { id: row.id, fields: Object.fromEntries(values) };
    }
  } catch (error) {
    throw refusalOf(error, from);
  }
}

interface RecordRow {
  readonly id: string;
  readonly [field: `f${number}`]: unknown;
}

function refusalOf(error: unknown, from: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code === "42P01" || code === "3F000") {
    return new MedleyError("collection_unknown", `the database holds no collection "${from}"`, {
      mend: "train from a file (--from FILE), or from a collection that the database holds (--from collection:NAME)",
      cause: error,
    });
  }
  if (code === "42703") {
    return new MedleyError("schema_conflict", `the rows of collection "${from}" lack a field: ${message}`, {
      mend: "train from a file that has it (--from FILE), or from a collection with the same fields",
      cause: error,
    });
  }
  return error;
}
