import { MedleyError } from "@medley/core";
import pg from "pg";
import { inTransaction } from "../transaction.ts";
import {
  type CollectionLayout,
  type OtherGeneration,
  planCollection,
  type StoredCollection,
} from "./collection-tables.ts";
import { type MigrationFile, readFunctions, readMigrations } from "./migration-files.ts";
import { requirePgvector } from "./pgvector-version.ts";
import { requireLanguages } from "./text-columns.ts";

const { escapeIdentifier, escapeLiteral } = pg;

export interface MigrationStep {
  /** `0001-foundation.sql`, `functions/search.sql`, `collection films`. */
  readonly name: string;
  readonly sql: string;
}

/** Any number, the same in all processes that migrate. */
export const migrationLock = 7_305_814;

/**
 * Brings a database to this version's migrations and functions and to the configured collections: all of it or nothing,
 * one process at a time. Returns the names of the steps it took: none where all was there.
 *
 * Throws `MedleyError` `schema_behind` (the role may not, or pgvector is missing or too old), `schema_conflict`,
 * `config_invalid` (a text's language is not there) or `data_too_new`.
 */
export async function migrate(
  pool: pg.Pool,
  collections: readonly CollectionLayout[],
): Promise<readonly string[]> {
  const client = await pool.connect();
  try {
    return await inTransaction(client, async () => {
      // The embedded engine's clients are one session, which a lock does not divide; there the transaction does.
      await client.query("select pg_advisory_xact_lock($1)", [migrationLock]);
      const steps = await planMigration(client, collections);
      for (const step of steps) await client.query(step.sql);
      requirePgvector((await readState(client)).pgvector);
      return steps.map((step) => step.name);
    });
  } catch (error) {
    throw explained(error);
  } finally {
    client.release();
  }
}

type Database = Pick<pg.Pool | pg.PoolClient, "query">;

/**
 * The steps `migrate` would take now, without taking them, each a transaction's statements. Throws as it does.
 */
export async function planMigration(
  database: Database,
  collections: readonly CollectionLayout[],
): Promise<readonly MigrationStep[]> {
  const state = await readState(database);
  if (state.pgvector !== null) requirePgvector(state.pgvector);
  await requireLanguages(
    database,
    collections.map(({ collection }) => collection),
  );
  const vectorSchema = state.vectorSchema ?? "public";
  const applied = state.hasLedger ? await readLedger(database) : new Map<string, string>();
  const stored = state.hasCatalogue ? await readCatalogue(database) : [];
  const steps = [
    ...(state.hasLedger && state.pgvector !== null ? [] : [{ name: "schemas", sql: schemasSql }]),
    ...pendingMigrations(applied),
    ...readFunctions()
      .filter((file) => applied.get(file.name) !== file.checksum)
      .map(fileStep),
    ...collections.flatMap((configured) => {
      const row = stored.find((candidate) => candidate.name === configured.collection.name);
      return planCollection(configured, row, vectorSchema);
    }),
  ];
  // Functions remember it: their types and operators are found whatever a caller's settings are.
  const preamble = `set local search_path = ${escapeIdentifier(vectorSchema)}, pg_temp;\n`;
  return steps.map((step) => ({ ...step, sql: preamble + step.sql }));
}

interface DatabaseState {
  readonly hasLedger: boolean;
  readonly hasCatalogue: boolean;
  /** Its version; null where it is not installed. */
  readonly pgvector: string | null;
  readonly vectorSchema: string | null;
}

async function readState(database: Database): Promise<DatabaseState> {
  const { rows } = await database.query<DatabaseState>(
    `select to_regclass('medley_internal.migrations') is not null as "hasLedger",
  to_regclass('medley_internal.collections') is not null as "hasCatalogue",
  (select extversion from pg_extension where extname = 'vector') as pgvector,
  (select nspname from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'vector')
    as "vectorSchema"`,
  );
  return rows[0] as DatabaseState;
}

export async function readCatalogue(database: Database): Promise<readonly StoredCollection[]> {
  const { rows } = await database.query<Omit<StoredCollection, "others">>(
    // Read before the migrations that add profiles, graphs, generations, texts and classes, too.
    `select name, fields, spaces, weights, live_table, coalesce((to_jsonb(stored) ->> 'generation')::int, 1) as generation,
  coalesce((to_jsonb(stored) ->> 'newest_generation')::int, 1) as "newestGeneration",
  to_regclass(format('medley_internal.%I', live_table || '_rows')) is not null as "hasRowsView", nullif(to_jsonb(stored) -> 'profiles', 'null') as profiles,
  nullif(to_jsonb(stored) -> 'graphs', 'null') as graphs, coalesce(to_jsonb(stored) -> 'texts', '[]') as texts,
  nullif(to_jsonb(stored) -> 'classes', 'null') as classes,
  array(
    select attname::text from pg_attribute
    where attrelid = to_regclass(format('medley_internal.%I', live_table)) and attnum > 0 and not attisdropped
    order by attnum
  ) as columns,
  array(
    select proname::text from pg_proc where pronamespace = to_regnamespace('medley') and proname = 'match_' || name
  ) as functions
from medley_internal.collections as stored`,
  );
  const others = await readOthers(database);
  return rows.map((row) => ({ ...row, others: others.filter(({ collection }) => collection === row.name) }));
}

/** Generations that are not live. */
async function readOthers(
  database: Database,
): Promise<readonly (OtherGeneration & { readonly collection: string })[]> {
  const { rows: known } = await database.query<{ known: boolean }>(
    "select to_regclass('medley_internal.generations') is not null as known",
  );
  if (!known[0]?.known) return [];
  const { rows } = await database.query<OtherGeneration & { collection: string }>(
    "select collection, generation, fields, spaces from medley_internal.generations where state <> 'live'",
  );
  return rows;
}

async function readLedger(database: Database): Promise<Map<string, string>> {
  const { rows } = await database.query<{ name: string; checksum: string }>(
    "select name, checksum from medley_internal.migrations",
  );
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

const schemasSql = `create schema if not exists medley;
create schema if not exists medley_internal;
create table if not exists medley_internal.migrations (
  name text primary key,
  checksum text not null,
  applied_at timestamptz not null default now()
);
create extension if not exists vector schema public;`;

function pendingMigrations(applied: ReadonlyMap<string, string>): readonly MigrationStep[] {
  const files = readMigrations();
  const newest = files.at(-1)?.name ?? "";
  const newer = [...applied.keys()].find((name) => /^\d{4}-/.test(name) && name > newest);
  if (newer !== undefined) {
    throw new MedleyError(
      "data_too_new",
      `the database has migration ${newer}; this Medley knows up to ${newest}`,
      {
        mend: "use the newer Medley that applied it",
      },
    );
  }
  for (const file of files) {
    const checksum = applied.get(file.name);
    if (checksum === undefined || checksum === file.checksum) continue;
    throw new MedleyError("schema_conflict", `migration ${file.name} was applied with another text`, {
      mend: "use the Medley version that applied it: released migrations do not change",
    });
  }
  return files.filter((file) => !applied.has(file.name)).map(fileStep);
}

function fileStep({ name, sql, checksum }: MigrationFile): MigrationStep {
  const ledger = `insert into medley_internal.migrations (name, checksum) values (${escapeLiteral(name)}, '${checksum}')
  on conflict (name) do update set checksum = excluded.checksum, applied_at = now();`;
  return { name, sql: `${sql}\n${ledger}` };
}

function explained(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  if (error.code === "42501") {
    return new MedleyError("schema_behind", `the database refuses a migration: ${error.message}`, {
      mend: `run the migration as the database's owner; for pgvector, let an administrator run: create extension vector`,
      cause: error,
    });
  }
  if (error.code === "0A000" || error.code === "58P01") {
    return new MedleyError("schema_behind", `pgvector can't be loaded: ${error.message}`, {
      mend: "install pgvector 0.8.4 or newer on the Postgres server",
      cause: error,
    });
  }
  return error;
}
