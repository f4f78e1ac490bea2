import type pg from "pg";
import { isDataFault, queryText, type TextRow } from "./table-database.ts";
import { recordOf, type TablePlan } from "./table-plan.ts";
import {
  type Key,
  type KeyRange,
  keysStatement,
  lookupStatement,
  type PageLimits,
  pageStatement,
  selectedFrom,
} from "./table-query.ts";

/** A row as it is now: a record, gone (or not let through by the conditions), or one that can't be read. */
export type RowState =
  | { readonly kind: "record"; readonly key: Key; readonly value: Record<string, unknown> }
  | { readonly kind: "gone"; readonly key: Key }
  /** `reason` holds nothing of the row. */
  | { readonly kind: "unreadable"; readonly key: Key; readonly reason: string };

type Client = Pick<pg.Client, "query">;

/**
 * The next rows of a range in the order of the key; none: the range is at its end. Where a value can't be read (a date
 * beyond the calendar of its zone) the page's rows are read one by one, so that one of them does not stop the others.
 */
export async function readPage(
  client: Client,
  plan: TablePlan,
  range: KeyRange,
  limits: PageLimits,
): Promise<readonly RowState[]> {
  try {
    const rows = await queryText(client, pageStatement(plan, range, limits));
    return rows.map((row) => stateOf(plan, row));
  } catch (error) {
    if (!isDataFault(error)) throw error;
    const keys = await queryText(client, keysStatement(plan, range, limits.rowsMax));
    return readRows(client, plan, keys as Key[], limits);
  }
}

/**
 * The rows of these keys as they are now, at least one: as many of the first as `bytesMax` lets through. The keys must be
 * different.
 */
export async function readRows(
  client: Client,
  plan: TablePlan,
  keys: readonly Key[],
  limits: PageLimits,
): Promise<readonly RowState[]> {
  if (keys.length === 0) return [];
  try {
    const rows = await queryText(client, lookupStatement(plan, keys, limits));
    return rows.map((row) => stateOf(plan, row));
  } catch (error) {
    if (!isDataFault(error)) throw error;
    const [first] = keys as [Key];
    if (keys.length === 1) return [{ kind: "unreadable", key: first, reason: reasonOf(error) }];
    // Only the first half: what is left is asked for next.
    return readRows(client, plan, keys.slice(0, keys.length >> 1), limits);
  }
}

function stateOf(plan: TablePlan, row: TextRow): RowState {
  const key = row.slice(0, plan.key.length) as Key;
  if (row[plan.key.length] !== "true") return { kind: "gone", key };
  const version = row[plan.key.length + 1] as string | null;
  return { kind: "record", key, value: recordOf(plan, key, row.slice(selectedFrom(plan)), version) };
}

/** By the kind of fault only: Postgres' message quotes the value. */
function reasonOf(error: unknown): string {
  const { code } = error as pg.DatabaseError;
  return `Postgres can't compute a value of the row (SQLSTATE ${code}); correct it, or leave its column out of the source`;
}
