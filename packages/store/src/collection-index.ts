import pg from "pg";
import { type CollectionStatus, readCollectionStatus } from "./collection-status.ts";
import { setCandidates } from "./graph-candidates.ts";
import { type IndexProgress, watchIndexBuild } from "./index-progress.ts";
import { openIndexSession, withIndexLocked } from "./index-session.ts";
import { graphBytes, type PathIndex, readPathIndexes } from "./index-state.ts";
import { readCatalogue } from "./migrations/migrate.ts";
import { askedMsMax, withRetry } from "./retry.ts";

/** What every collection of the database holds, and the state of its index. */
export async function readAllCollections(pool: pg.Pool): Promise<readonly CollectionStatus[]> {
  return readCollectionStatus(pool, await withRetry(() => readCatalogue(pool), askedMsMax));
}

/** Whether this role may build and drop the collection's index: it owns the table, as the services' role does not. */
export async function mayIndex(pool: pg.Pool, collection: string): Promise<boolean> {
  const { rows } = await withRetry(
    () =>
      pool.query<{ may: boolean }>(
        `select pg_has_role(relowner, 'usage') and has_schema_privilege('medley_internal', 'create') as may
from pg_class join medley_internal.collections on oid = to_regclass(format('medley_internal.%I', live_table)) where name = $1`,
        [collection],
      ),
    askedMsMax,
  );
  return rows[0]?.may ?? false;
}

export interface IndexBuildOptions {
  /** Postgres' `maintenance_work_mem` for this build. Default: the server's. */
  readonly memoryMegabytes?: number;
  /** Postgres' `max_parallel_maintenance_workers` for this build. Default: the server's. */
  readonly workersMax?: number;
  /** Keep writes out meanwhile, which reads the table once instead of twice. Default false; the embedded engine always does. */
  readonly exclusive?: boolean;
  /** Build valid indexes anew, too, beside the ones in use. Default false: they stay. */
  readonly rebuild?: boolean;
  /** Of the vectors' only the one over all spaces, which serves even weights; it costs a write the least. Default false. */
  readonly fusedOnly?: boolean;
  /** Of which generation of the rows. Default: the live one. */
  readonly generation?: number;
  readonly onProgress?: (progress: IndexProgress) => void;
  /** That the graph does not fit into memory, which makes the build many times slower. */
  readonly onWarning?: (warning: string) => void;
  /** Aborted: the build is cancelled and what there is of it dropped. */
  readonly signal?: AbortSignal;
}

export interface IndexBuild {
  readonly state: "built" | "kept" | "cancelled";
  readonly rows: number;
}

/**
 * Builds a collection's indexes where they are missing or broken: one over the fused vectors, one per space, and those of texts and filters. Takes seconds
 * per 10,000 rows and index; on a server searches and writes go on, the embedded engine stops for everyone. To be called after a
 * load: each makes a write slower, an HNSW index many times.
 *
 * Throws `MedleyError` `permission_denied` where this role does not own the table, `index_building` where another process
 * is at it, `store_unavailable`.
 */
export async function buildIndex(
  connectionString: string,
  collection: string,
  options: IndexBuildOptions = {},
): Promise<IndexBuild> {
  return withIndexLocked(connectionString, collection, async (client, resources): Promise<IndexBuild> => {
    const table = await readTable(client, collection, options.generation);
    const wanted = table.indexes.filter(
      ({ space, forFilters, valid }) =>
        !(options.fusedOnly && space !== null && !forFilters) && (!valid || options.rebuild),
    );
    if (wanted.length === 0) return { state: "kept", rows: table.rows };
    await dropInvalid(client, table);
    await setResources(client, options, resources);
    await warnOfMemory(client, table.rows, wanted, options);
    const watcher = table.embedded ? null : await openIndexSession(connectionString, resources);
    for (const index of wanted) {
      const state = await run(client, watcher, { table, index }, options);
      if (state !== "cancelled") continue;
      await dropInvalid(client, table);
      return { state, rows: table.rows };
    }
    await client.query(`analyze ${table.name}`);
    return { state: "built", rows: table.rows };
  });
}

/** Searches scan exactly from then on, and writes are as fast as without indexes. Throws as `buildIndex` does. */
export async function dropIndex(connectionString: string, collection: string): Promise<void> {
  await withIndexLocked(connectionString, collection, async (client) => {
    const { concurrently, indexes } = await readTable(client, collection);
    for (const { name, valid } of indexes) {
      if (valid !== null) await client.query(`drop index ${concurrently} if exists medley_internal.${name}`);
    }
  });
}

interface Table {
  /** As SQL names it. */
  readonly name: string;
  readonly rows: number;
  readonly indexes: readonly PathIndex[];
  readonly embedded: boolean;
  /** What keeps others working; empty on the embedded engine, which can't. */
  readonly concurrently: "concurrently" | "";
}

async function readTable(client: pg.Client, collection: string, generation?: number): Promise<Table> {
  const { rows: known } = await client.query<Pick<Table, "name" | "embedded">>(
    `select version() like '%PGlite%' as embedded, format('medley_internal.%I', live_table) as name
from medley_internal.as_generation($1, $2) as described`,
    [collection, generation ?? null],
  );
  const { name, embedded } = known[0] as (typeof known)[0];
  const { rows } = await client.query<Pick<Table, "rows">>(
    `select count(embedding)::float8 as rows from ${name}`,
  );
  const indexes = await readPathIndexes(client, collection, generation);
  return {
    name,
    embedded,
    rows: rows[0]?.rows as number,
    indexes,
    concurrently: embedded ? "" : "concurrently",
  };
}

/** What builds and rebuilds that broke off have left behind. */
async function dropInvalid(client: pg.Client, { name: table, concurrently }: Table): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select indexrelid::regclass::text as name from pg_index join pg_class on pg_class.oid = indexrelid
where indrelid = $1::regclass and not indisvalid and starts_with(relname, (
  select relname from pg_class where oid = $1::regclass
) || '_')`,
    [table],
  );
  for (const { name } of rows) await client.query(`drop index ${concurrently} if exists ${name}`);
}

async function setResources(
  client: pg.Client,
  { memoryMegabytes, workersMax }: IndexBuildOptions,
  resources: AsyncDisposableStack,
): Promise<void> {
  const settings = [
    ["maintenance_work_mem", memoryMegabytes === undefined ? null : `${memoryMegabytes}MB`],
    ["max_parallel_maintenance_workers", workersMax === undefined ? null : String(workersMax)],
  ] as const;
  for (const [name, value] of settings) {
    if (value === null) continue;
    await client.query("select set_config($1, $2, false)", [name, value]);
    // The embedded engine's session goes on for others.
    resources.defer(async () => void (await client.query(`reset ${name}`).catch(() => {})));
  }
}

async function warnOfMemory(
  client: pg.Client,
  rowsCount: number,
  wanted: readonly PathIndex[],
  { onWarning = () => {} }: IndexBuildOptions,
): Promise<void> {
  const { rows: settings } = await client.query<{ bytes: number }>(
    "select pg_size_bytes(current_setting('maintenance_work_mem'))::float8 as bytes",
  );
  const graphs = wanted
    .filter(({ graph }) => graph)
    .map(({ dimensions }) => rowsCount * graphBytes(dimensions));
  const neededBytes = Math.max(0, ...graphs);
  const givenBytes = (settings[0] as (typeof settings)[0]).bytes;
  if (neededBytes <= givenBytes) return;
  const [needed, given] = [Math.ceil((neededBytes * 1.05) / 2 ** 20), Math.floor(givenBytes / 2 ** 20)];
  onWarning(
    `the graph of ${rowsCount} rows takes about ${needed} MB, maintenance_work_mem is ${given} MB: what does not fit is built many ` +
      `times slower; give it more, if the server has it: medley index --memory ${needed}`,
  );
}

interface OneBuild {
  readonly table: Table;
  readonly index: PathIndex;
}

function buildSql(
  { table, index: { name, definition, valid } }: OneBuild,
  { exclusive = false }: IndexBuildOptions,
): string {
  const how = exclusive ? "" : table.concurrently;
  if (valid) return `reindex index ${how} medley_internal.${name}`;
  return `create index ${how} ${name} on ${table.name} ${definition}`;
}

async function run(
  client: pg.Client,
  watcher: pg.Client | null,
  build: OneBuild,
  options: IndexBuildOptions,
): Promise<"built" | "cancelled"> {
  const { onProgress = () => {}, signal } = options;
  if (signal?.aborted) return "cancelled";
  if (watcher === null) {
    await runOne(client, build, options);
    return "built";
  }
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pid = rows[0]?.pid as number;
  const of = build.index.space ?? "all spaces";
  await using _watch = await watchIndexBuild(watcher, {
    pid,
    rowsTotal: build.table.rows,
    onProgress: (progress) => onProgress({ ...progress, phase: `${of}: ${progress.phase}` }),
  });
  const cancel = () => void watcher.query("select pg_cancel_backend($1)", [pid]).catch(() => {});
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    await runOne(client, build, options);
    return "built";
  } catch (error) {
    if (signal?.aborted && error instanceof pg.DatabaseError && error.code === "57014") return "cancelled";
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** A graph that is created names the candidates of its build itself; one that is built anew is given them for the time. */
async function runOne(client: pg.Client, build: OneBuild, options: IndexBuildOptions): Promise<void> {
  const { index } = build;
  const sql = buildSql(build, options);
  if (!index.graph) {
    await client.query(sql);
    return;
  }
  const { onWarning = () => {} } = options;
  const inUse = (is: string, alter: string) =>
    onWarning(
      `index ${index.name}, which others read, could not be altered: ${is}; when it is quiet, ${alter}`,
    );
  if (index.valid && !(await setCandidates(client, index, "build")))
    inUse("it is built with fewer candidates than it might be", "build it anew once more");
  try {
    await client.query(sql);
  } finally {
    if (!(await setCandidates(client, index, "writes").catch(() => false))) {
      const alter = `run: alter index medley_internal.${index.name} reset (ef_construction)`;
      inUse("a row that is written takes as many candidates as its build, which is twice as long", alter);
    }
  }
}
