import { MedleyError } from "@medley/core";
import pg from "pg";
import { type CatalogueRow, type CollectionLayout, planCollection } from "./collection-tables.ts";
import { type MigrationFile, readFunctions, readMigrations } from "./migration-files.ts";

const { escapeLiteral } = pg;

export interface MigrationStep {
  /** `0001-foundation.sql`, `functions/search.sql`, `collection films`. */
  readonly name: string;
  readonly sql: string;
}

/** Any number, the same in all processes that migrate. */
const migrationLock = 7_305_814;
/** Oldest that has iterative index scans. */
const pgvectorMin = [0, 8];

/**
 * Brings a database to this version's migrations and functions and to the configured collections; one transaction per
 * step, one process at a time. Returns the names of the steps it took: none where all was there.
 *
 * Throws `MedleyError` `schema_behind` (the role may not, or pgvector is missing or too old), `schema_conflict` or
 * `data_too_new`.
 */
export async function migrate(
  pool: pg.Pool,
  collections: readonly CollectionLayout[],
): Promise<readonly string[]> {
  const client = await pool.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [migrationLock]);
    try {
      await prepare(client);
      const steps = await planMigration(client, collections);
      for (const step of steps) await apply(client, step);
      return steps.map((step) => step.name);
    } finally {
      await client.query("select pg_advisory_unlock($1)", [migrationLock]);
    }
  } catch (error) {
    throw explained(error);
  } finally {
    client.release();
  }
}

/** The steps `migrate` would take now, without taking them. Throws as it does. */
export async function planMigration(
  database: Pick<pg.Pool | pg.PoolClient, "query">,
  collections: readonly CollectionLayout[],
): Promise<readonly MigrationStep[]> {
  const { rows } = await database.query<{
    ledger: string | null;
    catalogue: string | null;
    vector: string | null;
  }>(
    `select to_regclass('medley_internal.migrations')::text as ledger,
       to_regclass('medley_internal.collections')::text as catalogue,
       (select extnamespace::regnamespace::text from pg_extension where extname = 'vector') as vector`,
  );
  const state = rows[0] as (typeof rows)[0];
  const vectorSchema = state.vector ?? "public";
  const applied = state.ledger === null ? new Map<string, string>() : await readLedger(database);
  const stored = state.catalogue === null ? [] : await readCatalogue(database);
  const preamble = `set local search_path = ${vectorSchema}, pg_temp;\n`;
  const steps = [
    ...(state.ledger === null || state.vector === null ? [{ name: "schemas", sql: prepareSql }] : []),
    ...pendingMigrations(applied),
    ...readFunctions()
      .filter((file) => applied.get(file.name) !== file.checksum)
      .map(fileStep),
    ...collections.flatMap((configured) => {
      const row = stored.find((candidate) => candidate.name === configured.collection.name);
      return planCollection(configured, row, unquoted(vectorSchema));
    }),
  ];
  return steps.map((step) => ({ ...step, sql: preamble + step.sql }));
}

export async function readCatalogue(
  database: Pick<pg.Pool | pg.PoolClient, "query">,
): Promise<readonly CatalogueRow[]> {
  const { rows } = await database.query<CatalogueRow>(
    "select name, fields, spaces, weights, live_table from medley_internal.collections",
  );
  return rows;
}

async function readLedger(database: Pick<pg.Pool | pg.PoolClient, "query">): Promise<Map<string, string>> {
  const { rows } = await database.query<{ name: string; checksum: string }>(
    "select name, checksum from medley_internal.migrations",
  );
  return new Map(rows.map((row) => [row.name, row.checksum]));
}

const prepareSql = `create schema if not exists medley;
create schema if not exists medley_internal;
create table if not exists medley_internal.migrations (
  name text primary key,
  checksum text not null,
  applied_at timestamptz not null default now()
);
create extension if not exists vector schema public;`;

async function prepare(client: pg.PoolClient): Promise<void> {
  await client.query(prepareSql);
  const { rows } = await client.query<{ extversion: string }>(
    "select extversion from pg_extension where extname = 'vector'",
  );
  const found = rows[0]?.extversion ?? "0";
  const [major = 0, minor = 0] = found.split(".").map(Number);
  const [majorMin, minorMin] = pgvectorMin as [number, number];
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new MedleyError(
    "schema_behind",
    `pgvector is ${found}; Medley needs ${pgvectorMin.join(".")} or newer`,
    {
      mend: "install a newer pgvector on the server, then run: alter extension vector update",
    },
  );
}

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

async function apply(client: pg.PoolClient, step: MigrationStep): Promise<void> {
  try {
    await client.query(`begin;\n${step.sql}\ncommit;`);
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

/** regnamespace quotes where it must. */
function unquoted(identifier: string): string {
  return identifier.startsWith('"') ? identifier.slice(1, -1).replaceAll('""', '"') : identifier;
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
      mend: "install pgvector 0.8 or newer on the Postgres server",
      cause: error,
    });
  }
  return error;
}
