import {
  type Collection,
  canonicalJson,
  type FullText,
  type Generation,
  type GenerationOf,
  MedleyError,
  type Profiles,
} from "@medley/core";
import pg from "pg";
import {
  type CollectionLayout,
  catalogueRow,
  json,
  orNull,
  type StoredCollection,
  type StoredSpace,
} from "../migrations/collection-tables.ts";
import { followSql } from "../migrations/graph-tables.ts";
import { migrationLock } from "../migrations/migrate.ts";
import { grantRoles } from "../migrations/roles.ts";
import {
  createRowsSql,
  dimensionsOf,
  isOwnColumn,
  liveView,
  rowTable,
  tableName,
} from "../migrations/row-tables.ts";
import { requireLanguages } from "../migrations/text-columns.ts";
import { inTransaction } from "../transaction.ts";

const { escapeLiteral } = pg;

/** As a database has it. */
export interface StoredGeneration extends Generation {
  readonly fields: Readonly<Record<string, string>>;
  readonly weights: Readonly<Record<string, number>>;
  readonly profiles: Profiles | null;
  readonly texts: readonly FullText[];
  readonly classes: Collection["classes"];
  /** What a process needs to open its encoders; null: what the processes were started with. */
  readonly encoders: unknown;
}

/** Of each collection the live one, and the other where there are two. */
export async function readGenerations(
  database: Pick<pg.Pool, "query">,
): Promise<readonly StoredGeneration[]> {
  const { rows } = await database.query<
    Omit<StoredGeneration, "segments"> & { readonly spaces: readonly StoredSpace[] }
  >(
    `select collection, generation, state, fields, spaces, weights, profiles, texts, coalesce(classes, '{}') as classes, encoders from (
  select collection, generation, state, fields, spaces, weights, profiles, texts, classes, encoders from medley_internal.generations
  union all
  select name, generation, 'live', fields, spaces, weights, profiles, texts, classes, null from medley_internal.collections
  where not exists (select from medley_internal.generations where collection = name)
) as generations order by collection collate "C", generation`,
  );
  return rows.map(({ spaces, ...row }) => ({ ...row, segments: segmentsOf(spaces) }));
}

export function segmentsOf(spaces: readonly StoredSpace[]): Generation["segments"] {
  return spaces.map(({ name, offset, dimensions, identity, field }) => ({
    space: name,
    ...{ offset, dimensions, encoderIdentity: identity },
    fields: [field].flat(),
  }));
}

/**
 * Makes the table of a collection's next generation: from now on every row that is written is noted for it, and `noteRows` notes those that are there.
 * Where it was begun before, with the same segments, it goes on. Returns its number. Throws `MedleyError` `schema_conflict`.
 */
export async function beginGeneration(
  pool: pg.Pool,
  configured: CollectionLayout,
  { stored, encoders }: { readonly stored: StoredCollection; readonly encoders: unknown },
): Promise<number> {
  await requireLanguages(pool, [configured.collection]);
  const generations = (await readGenerations(pool)).filter(({ collection }) => collection === stored.name);
  const begun = generations.find(({ state }) => state === "building");
  if (begun !== undefined) {
    requireSame(configured, begun);
  } else if (generations.length > 1) {
    throw conflict(stored.name, "the generation before is still kept", "end it: medley apply --finish");
  }
  const generation = begun?.generation ?? stored.newestGeneration + 1;
  if (begun === undefined) await createGeneration(pool, configured, { stored, encoders, generation });
  await grantRoles(pool, []);
  return generation;
}

async function createGeneration(
  pool: pg.Pool,
  configured: CollectionLayout,
  {
    stored,
    encoders,
    generation,
  }: { readonly stored: StoredCollection; readonly encoders: unknown; readonly generation: number },
): Promise<void> {
  const { collection, layout } = configured;
  const { fields, spaces, weights, profiles, graphs, texts, classes } = catalogueRow(configured);
  const table = tableName(collection.name, generation);
  const name = escapeLiteral(stored.name);
  const vectorSchema = await schemaOfVector(pool);
  const columns =
    "collection, generation, state, table_name, fields, spaces, weights, dimensions, profiles, graphs, texts, classes, encoders";
  await inMigration(pool, async (client) => {
    // Functions of the database have it in their settings; statements of our own need it, too.
    await client.query(`set local search_path = ${pg.escapeIdentifier(vectorSchema)}, pg_temp`);
    await client.query(`${createRowsSql(configured, generation, vectorSchema)}
insert into medley_internal.generations (${columns})
select name, generation, 'live', live_table, fields, spaces, weights, dimensions, profiles, graphs, texts, classes, null
from medley_internal.collections where name = ${name};
insert into medley_internal.generations (${columns}) values (
  ${name}, ${generation}, 'building', ${escapeLiteral(table)}, ${json(fields)}, ${json(spaces)}, ${json(weights)},
  ${dimensionsOf(layout)}, ${orNull(profiles)}, ${orNull(graphs)}, ${json(texts)}, ${json(classes)}, ${json(encoders)}
);
update medley_internal.generations set noted = false where collection = ${name} and generation = ${generation};
update medley_internal.collections set newest_generation = ${generation} where name = ${name};
select medley_internal.follow_generation(${name}, ${escapeLiteral(stored.live_table)});
select medley_internal.follow_generation(${name}, ${escapeLiteral(table)});
${followSql(collection.name, generation, graphs)}`);
  });
}

const notedRowsMax = 10_000;

/** Notes some of the rows that were there when a generation began. Resolves to how many, 0 where all are noted. */
export async function noteRows(pool: pg.Pool, { collection, generation }: GenerationOf): Promise<number> {
  const { rows } = await pool.query<{ noted: number }>(
    "select medley_internal.note_rows($1, $2, $3) as noted",
    [collection, generation, notedRowsMax],
  );
  return rows[0]?.noted as number;
}

export interface SwitchOptions {
  /** How long writers may be kept waiting while the last rows are carried over; 0: they are not, and the moment must be lucky. */
  readonly drainMsMax: number;
}

/** How long searches may wait behind a lock that waits for others. */
const lockMsMax = 300;
const drainPollMs = 10;

/**
 * Makes a generation live, in one transaction. Resolves to false where rows were still to be carried over, or searches under way did not
 * let the view go: then nothing has changed, and it may be tried again.
 */
export async function switchGeneration(
  pool: pg.Pool,
  { collection, generation }: GenerationOf,
  { drainMsMax }: SwitchOptions,
): Promise<boolean> {
  const { rows } = await pool.query<{ name: string }>(
    `select attname::text as name from pg_attribute
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum`,
    [rowTable(collection, generation)],
  );
  const typed = rows.map(({ name }) => name).filter((name) => !isOwnColumn(name));
  const viewSql = liveView(collection, generation, typed, await schemaOfVector(pool));
  return await done(() =>
    inMigration(pool, async (client) => {
      if (drainMsMax > 0) await drain(client, { collection, generation }, drainMsMax);
      await client.query(`set local lock_timeout = ${lockMsMax}`);
      await client.query("select medley_internal.switch_generation($1, $2, $3)", [
        collection,
        generation,
        viewSql,
      ]);
    }),
  );
}

/** False: rows are still to be carried, or a lock was not given in time. */
async function done(change: () => Promise<void>): Promise<boolean> {
  try {
    await change();
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && (error.code === "55000" || error.code === "55P03")) return false;
    throw error;
  }
}

/** Keeps writers out until what they have written is carried over. */
async function drain(
  client: pg.PoolClient,
  { collection, generation }: GenerationOf,
  msMax: number,
): Promise<void> {
  const { rows } = await client.query<{ live_table: string }>(
    "select live_table from medley_internal.collections where name = $1",
    [collection],
  );
  const table = pg.escapeIdentifier(rows[0]?.live_table as string);
  const endsAtMs = performance.now() + msMax;
  await client.query(`set local lock_timeout = ${msMax}`);
  await client.query(`lock table medley_internal.${table} in share row exclusive mode`);
  while ((await changesLeft(client, collection, generation)) > 0 && performance.now() < endsAtMs) {
    await client.query(`select pg_sleep(${drainPollMs / 1_000})`);
  }
}

/** Rows that a generation is still to have. */
export async function changesLeft(
  database: Pick<pg.Pool | pg.PoolClient, "query">,
  collection: string,
  generation: number,
): Promise<number> {
  const { rows } = await database.query<{ left: number }>(
    "select count(*)::int as left from medley_internal.generation_change where collection = $1 and generation = $2",
    [collection, generation],
  );
  return rows[0]?.left as number;
}

/** What a generation's rows wait for. */
export interface Waiting {
  readonly left: number;
  /** Of these, how many have waited since `newest` was what was asked for. */
  readonly older: number;
  /** Null: nothing waits. */
  readonly newest: readonly string[] | null;
}

/** Rows that a generation is still to have. */
export async function readWaitingChanges(
  pool: pg.Pool,
  { collection, generation }: GenerationOf,
  since: Waiting["newest"],
): Promise<Waiting> {
  const { rows } = await pool.query<Waiting>(
    `select count(*)::int as left, count(*) filter (where position <= $3::bigint)::int as older,
  case when count(*) > 0 then array[max(position)::text] end as newest
from medley_internal.generation_change where collection = $1 and generation = $2`,
    [collection, generation, since?.[0] ?? null],
  );
  return rows[0] as Waiting;
}

/** Neighbours' changes that rows of a generation are still to hear of. */
export async function readWaitingRefreshes(
  pool: pg.Pool,
  { collection, generation }: GenerationOf,
  since: Waiting["newest"],
): Promise<Waiting> {
  const [change, refresh] = since ?? [null, null];
  const { rows } = await pool.query<Waiting>(
    `with waiting as (
  select position, null as refresh, position <= $2::bigint as older from medley_internal.graph_change where split_part(graph, '.', 1) = $1
  union all
  select null, position, position <= $3::bigint from medley_internal.graph_refresh where table_name = $1
)
select count(*)::int as left, count(*) filter (where older)::int as older,
  case when count(*) > 0 then array[coalesce(max(position), 0)::text, coalesce(max(refresh), 0)::text] end as newest
from waiting`,
    [tableName(collection, generation), change, refresh],
  );
  return rows[0] as Waiting;
}

/**
 * Ends a generation that is not live. What was written for it alone is written anew by whoever finds that it is gone. Resolves to false
 * where searches or writes under way did not let its table or the live one go: then nothing has changed, and it may be tried again.
 */
export function dropGeneration(pool: pg.Pool, { collection, generation }: GenerationOf): Promise<boolean> {
  return done(() =>
    inMigration(pool, async (client) => {
      await client.query(`set local lock_timeout = ${lockMsMax}`);
      await client.query("select medley_internal.drop_generation($1, $2)", [collection, generation]);
    }),
  );
}

async function schemaOfVector(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ name: string }>(
    "select nspname as name from pg_extension join pg_namespace on pg_namespace.oid = extnamespace where extname = 'vector'",
  );
  return rows[0]?.name as string;
}

async function inMigration(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await inTransaction(client, async () => {
      // Grants that another process gives at this moment would be of tables that are not there yet, or not any more.
      await client.query("select pg_advisory_xact_lock($1)", [migrationLock]);
      await work(client);
    });
  } finally {
    client.release();
  }
}

function requireSame({ collection, layout }: CollectionLayout, begun: StoredGeneration): void {
  const row = catalogueRow({ collection, layout });
  const asked = { fields: row.fields, texts: row.texts, segments: segmentsOf(row.spaces) };
  const { fields, texts, segments } = begun;
  if (canonicalJson(asked) === canonicalJson({ fields, texts, segments })) return;
  throw conflict(
    collection.name,
    `generation ${begun.generation} is being built of another configuration`,
    "put that configuration back, or end it: medley apply --drop",
  );
}

function conflict(collection: string, what: string, mend: string): MedleyError {
  return new MedleyError("schema_conflict", `collection "${collection}": ${what}`, { mend });
}
