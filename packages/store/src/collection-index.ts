import { MedleyError } from "@medley/core";
import pg from "pg";
import { type CollectionStatus, readCollectionStatus } from "./collection-status.ts";
import { type IndexProgress, watchIndexBuild } from "./index-progress.ts";
import { bareIndexName, graphBytes, indexName } from "./index-state.ts";
import { liveTable } from "./migrations/collection-tables.ts";
import { readCatalogue } from "./migrations/migrate.ts";
import { askedMsMax, faultOf, withRetry } from "./retry.ts";

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
from pg_class where oid = to_regclass($1)`,
        [liveTable(collection)],
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
  /** Build a valid index anew, too, beside the one in use. Default false: it stays. */
  readonly rebuild?: boolean;
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
 * Builds the HNSW index over a collection's fused vectors where it is missing or broken. Takes seconds per 10,000 rows; on a
 * server searches and writes go on, the embedded engine stops for everyone. To be called after a load: an index makes each
 * write many times slower.
 *
 * Throws `MedleyError` `permission_denied` where this role does not own the table, `index_building` where another process
 * is at it, `store_unavailable`.
 */
export async function buildIndex(
  connectionString: string,
  collection: string,
  options: IndexBuildOptions = {},
): Promise<IndexBuild> {
  try {
    await using resources = new AsyncDisposableStack();
    const client = await openClient(connectionString, resources);
    await lockIndex(client, collection);
    const table = await readTable(client, collection);
    if (table.valid && !options.rebuild) return { state: "kept", rows: table.rows };
    await dropInvalid(client, collection, table);
    await setResources(client, options, resources);
    await warnOfMemory(client, table, options);
    const watcher = table.embedded ? null : await openClient(connectionString, resources);
    const state = await run(client, watcher, buildSql(collection, table, options), table.rows, options);
    if (state === "cancelled") await dropInvalid(client, collection, table);
    return { state, rows: table.rows };
  } catch (error) {
    throw faultOf(error);
  }
}

/** Searches scan exactly from then on, and writes are as fast as without an index. Throws as `buildIndex` does. */
export async function dropIndex(connectionString: string, collection: string): Promise<void> {
  try {
    await using resources = new AsyncDisposableStack();
    const client = await openClient(connectionString, resources);
    await lockIndex(client, collection);
    const { concurrently } = await readTable(client, collection);
    await client.query(`drop index ${concurrently} if exists ${indexName(collection)}`);
  } catch (error) {
    throw faultOf(error);
  }
}

/** One session without the pool's time limits: a build takes as long as it takes. */
async function openClient(connectionString: string, resources: AsyncDisposableStack): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: "medley index", keepAlive: true });
  client.on("error", () => {});
  await client.connect();
  resources.defer(() => client.end());
  await client.query("set statement_timeout = 0");
  resources.defer(async () => void (await client.query("reset statement_timeout").catch(() => {})));
  return client;
}

/** Any number, the same in all processes; beside it the collection's. */
const indexLock = 7_305_815;

async function lockIndex(client: pg.Client, collection: string): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    "select pg_try_advisory_lock($1, hashtext($2)) as locked",
    [indexLock, collection],
  );
  if (rows[0]?.locked) return;
  throw new MedleyError("index_building", `another process works on the index of "${collection}"`, {
    mend: "wait for it; medley status says when the index is ready",
  });
}

interface Table {
  readonly rows: number;
  readonly dimensions: number;
  /** Null: there is no index. */
  readonly valid: boolean | null;
  readonly embedded: boolean;
  readonly vectorSchema: string;
  /** What keeps others working; empty on the embedded engine, which can't. */
  readonly concurrently: "concurrently" | "";
}

async function readTable(client: pg.Client, collection: string): Promise<Table> {
  const { rows } = await client.query<Omit<Table, "concurrently">>(
    `select version() like '%PGlite%' as embedded, (select count(embedding)::float8 from ${liveTable(collection)}) as rows,
  (select atttypmod from pg_attribute where attrelid = $1::regclass and attname = 'embedding') as dimensions,
  (select indisvalid from pg_index where indexrelid = to_regclass($2)) as valid,
  (select extnamespace::regnamespace::text from pg_extension where extname = 'vector') as "vectorSchema"`,
    [liveTable(collection), indexName(collection)],
  );
  const table = rows[0] as (typeof rows)[0];
  return { ...table, concurrently: table.embedded ? "" : "concurrently" };
}

/** What builds and rebuilds that broke off have left behind. */
async function dropInvalid(client: pg.Client, collection: string, { concurrently }: Table): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select indexrelid::regclass::text as name from pg_index join pg_class on pg_class.oid = indexrelid
join pg_am on pg_am.oid = relam where indrelid = $1::regclass and not indisvalid and amname = 'hnsw'`,
    [liveTable(collection)],
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
  { rows, dimensions }: Table,
  { onWarning = () => {} }: IndexBuildOptions,
): Promise<void> {
  const { rows: settings } = await client.query<{ bytes: number }>(
    "select pg_size_bytes(current_setting('maintenance_work_mem'))::float8 as bytes",
  );
  const neededBytes = rows * graphBytes(dimensions);
  const givenBytes = (settings[0] as (typeof settings)[0]).bytes;
  if (neededBytes <= givenBytes) return;
  const [needed, given] = [Math.ceil((neededBytes * 1.05) / 2 ** 20), Math.floor(givenBytes / 2 ** 20)];
  onWarning(
    `the graph of ${rows} rows takes about ${needed} MB, maintenance_work_mem is ${given} MB: what does not fit is built many ` +
      `times slower; give it more, if the server has it: medley index --memory ${needed}`,
  );
}

function buildSql(
  collection: string,
  { valid, vectorSchema, concurrently }: Table,
  { exclusive = false }: IndexBuildOptions,
): string {
  const how = exclusive ? "" : concurrently;
  if (valid) return `reindex index ${how} ${indexName(collection)}`;
  return `create index ${how} ${bareIndexName(collection)} on ${liveTable(collection)}
using hnsw (embedding ${vectorSchema}.halfvec_ip_ops)`;
}

async function run(
  client: pg.Client,
  watcher: pg.Client | null,
  sql: string,
  rowsTotal: number,
  { onProgress = () => {}, signal }: IndexBuildOptions,
): Promise<"built" | "cancelled"> {
  if (signal?.aborted) return "cancelled";
  if (watcher === null) {
    await client.query(sql);
    return "built";
  }
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pid = rows[0]?.pid as number;
  await using _watch = await watchIndexBuild(watcher, { pid, rowsTotal, onProgress });
  const cancel = () => void watcher.query("select pg_cancel_backend($1)", [pid]).catch(() => {});
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    await client.query(sql);
    return "built";
  } catch (error) {
    if (signal?.aborted && error instanceof pg.DatabaseError && error.code === "57014") return "cancelled";
    throw error;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}
