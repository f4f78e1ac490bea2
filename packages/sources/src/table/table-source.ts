import { createHash } from "node:crypto";
import { type Collection, canonicalJson, type TableSource, tableName } from "@medley/core";
import type pg from "pg";
import { badItem, type SourceItem } from "../item.ts";
import type { Source, SourceRange } from "../source.ts";
import { type OutboxStatus, readOutboxStatus, snapshotVersion } from "./outbox.ts";
import { type RowState, readPage } from "./row-reader.ts";
import { conditionFaultOf, queryText, TableDatabase, type TableDatabaseOptions } from "./table-database.ts";
import { idOfKey, planTable, type TablePlan } from "./table-plan.ts";
import { estimateStatement, type Key, type PageLimits } from "./table-query.ts";
import { readTableShape } from "./table-shape.ts";

export interface OpenTableOptions extends TableDatabaseOptions {
  readonly collection: Collection;
  readonly source: TableSource;
}

/** Of rows in memory at once; ten packets, and as much as a packet may hold. */
const pageLimits: PageLimits = { rowsMax: 1_000, bytesMax: 16_000_000 };

/** Throws `MedleyError` `source_mismatch` or `source_unavailable`. */
export async function planOf(
  client: Pick<pg.Client, "query">,
  { collection, source }: Pick<OpenTableOptions, "collection" | "source">,
): Promise<TablePlan> {
  return planTable(collection, source, await readTableShape(client, tableName(source.table)));
}

/**
 * Opens a table, view or materialized view for a backfill. Rows are read in the order of the key, a page at a time, each
 * page in one statement and so in one snapshot; no transaction stays open between pages. To be closed after the last call.
 * Throws `MedleyError` `source_mismatch` or `source_unavailable`.
 */
export async function openTable(options: OpenTableOptions): Promise<TableRows> {
  const database = new TableDatabase(options);
  try {
    const plan = await database.run(async (client) => {
      const made = await planOf(client, options);
      // A condition whose value is none of its column's type is said here, before a run begins.
      await readPage(client, made, { after: null, through: null }, { rowsMax: 0, bytesMax: 0 });
      return made;
    });
    return new TableRows(database, plan);
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw conditionFaultOf(error);
  }
}

/** A table as the source of a backfill. */
export class TableRows implements Source, AsyncDisposable {
  readonly name: string;
  readonly textual = false;
  readonly plan: TablePlan;
  readonly #database: TableDatabase;

  constructor(database: TableDatabase, plan: TablePlan) {
    this.#database = database;
    this.plan = plan;
    this.name = plan.name;
  }

  /** The planner's estimate. */
  async total(): Promise<number | null> {
    const [row] = await this.#database.run((client) => queryText(client, estimateStatement(this.plan)));
    const [explained] = JSON.parse(row?.[0] as string) as [{ Plan: { "Plan Rows": number } }];
    return explained.Plan["Plan Rows"];
  }

  /** Changes when the configuration or the table makes other records of the same rows, and not when rows change. */
  async fingerprint(): Promise<string> {
    const { shape, key, selected, collection, source } = this.plan;
    const columns = [...key, ...selected.map(({ column }) => column)].map(({ name, type }) => [name, type]);
    const described = [shape.oid, columns, collection.name, source.where ?? null];
    return createHash("sha256").update(canonicalJson(described)).digest("hex");
  }

  outboxStatus(deployment: string): Promise<OutboxStatus> {
    return this.#database.run((client) => readOutboxStatus(client, this.plan, deployment));
  }

  snapshotVersion(): Promise<bigint> {
    return this.#database.run(snapshotVersion);
  }

  async *records(range: SourceRange = {}): AsyncGenerator<SourceItem, void, void> {
    const through = range.through === undefined ? null : keyOfPosition(range.through);
    let after = range.after === undefined ? null : keyOfPosition(range.after);
    for (;;) {
      const from: { after: Key | null; through: Key | null } = { after, through };
      const rows = await this.#database.run((client) => readPage(client, this.plan, from, pageLimits));
      const last = rows.at(-1);
      if (last === undefined) return;
      for (const row of rows) if (row.kind !== "gone") yield itemOf(this.plan, row);
      after = last.key;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database[Symbol.asyncDispose]();
  }
}

function keyOfPosition(position: string): Key {
  return JSON.parse(position) as Key;
}

function itemOf({ name }: TablePlan, row: Exclude<RowState, { kind: "gone" }>): SourceItem {
  const position = JSON.stringify(row.key);
  if (row.kind === "unreadable") {
    const payload = Buffer.from(JSON.stringify({ id: idOfKey(row.key) }));
    return { ...badItem(name, row.reason, payload), position };
  }
  return {
    ok: true,
    value: row.value,
    source: name,
    position,
    get payload() {
      return Buffer.from(JSON.stringify(row.value));
    },
  };
}
