import pg from "pg";
import { faultOf } from "../retry.ts";
import { inTransaction } from "../transaction.ts";
import { FindingsByShares } from "./findings-by-shares.ts";
import { forgetPlans } from "./forget-plans.ts";
import {
  candidatesWanted,
  deeperRung,
  type LearnedPlans,
  learnPlans,
  type Rung,
  shortenedWanted,
} from "./learn-plans.ts";
import {
  type AnalysedRows,
  type MeasuredPath,
  readAnalysed,
  readPaths,
  SampledRows,
  usualOf,
} from "./sampled-rows.ts";
import { judgesPlans, SampledWeightings } from "./weightings.ts";

export interface AnalyzeOptions {
  /** No query is begun later than this. Default 105. */
  readonly secondsMax?: number;
  /** Of which generation of the rows. Default: the live one. */
  readonly generation?: number;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Aborted: nothing is written. */
  readonly signal?: AbortSignal;
}

export interface SearchAnalysis {
  readonly rows: number;
  readonly queries: number;
  readonly weightings: number;
  readonly plans: number;
  /** Weightings for which no plan reaches the usual recall for less than a scan. */
  readonly scanning: number;
  readonly exactMs: number;
  readonly seconds: number;
}

/** Few queries say little; more than these say no more. */
const queriesMin = 4;
const queriesMax = 120;
/** Each looks for queries of its own, and a server gives each a core of its own. */
const sessionsMax = 2;
/** Learned for this many hits; a search for more looks deeper in proportion. */
export const hitsWanted = 10;
/** A search may ask for any recall: these are what plans are looked for. */
const targets = [0.8, 0.9, 0.95, 0.97, 0.99];
const usualTarget = 0.95;
const exactRounds = 5;

/**
 * Learns how searches of a collection find their rows: samples stored rows as queries, weighs each in many ways, finds the best rows
 * exactly, and looks how deep in which index they are, and what reading so deep takes. What comes of it takes the place of
 * what was learned before. Reads the table once per query. Null: the collection has no index or no row, so that there
 * is nothing to choose.
 *
 * Throws `MedleyError` `permission_denied`, `collection_unknown` or `store_unavailable`.
 */
export async function analyzeSearch(
  connectionString: string,
  collection: string,
  options: AnalyzeOptions = {},
): Promise<SearchAnalysis | null> {
  await using resources = new AsyncDisposableStack();
  try {
    const client = await openSession(connectionString, resources);
    const rows = await readAnalysed(client, collection, options.generation);
    const paths = await readPaths(client, rows);
    if (paths.length === 0) return null;
    const clients = await withOtherSessions(client, connectionString, resources);
    return await learn(clients, rows, paths, options);
  } catch (error) {
    throw faultOf(error);
  }
}

async function openSession(connectionString: string, resources: AsyncDisposableStack): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: "medley analyze", keepAlive: true });
  client.on("error", () => {});
  resources.defer(() => client.end().catch(() => {}));
  await client.connect();
  await client.query("set statement_timeout = 0");
  resources.defer(async () => void (await client.query("reset statement_timeout").catch(() => {})));
  return client;
}

/**
 * Fewer where all connections are one session, as on the embedded engine, which would wait for itself, and where the server has no more to
 * give.
 */
async function withOtherSessions(
  first: pg.Client,
  connectionString: string,
  resources: AsyncDisposableStack,
): Promise<readonly pg.Client[]> {
  const clients = [first];
  const ids = new Set([await sessionIdOf(first)]);
  while (clients.length < sessionsMax) {
    const client = await openSession(connectionString, resources).catch(() => null);
    if (client === null) break;
    const id = await sessionIdOf(client);
    if (ids.has(id)) break;
    ids.add(id);
    clients.push(client);
  }
  return clients;
}

async function sessionIdOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ id: number }>("select pg_backend_pid() as id");
  return (rows[0] as { id: number }).id;
}

async function learn(
  clients: readonly pg.Client[],
  of: AnalysedRows,
  paths: readonly MeasuredPath[],
  { secondsMax = 105, onProgress = () => {}, signal }: AnalyzeOptions,
): Promise<SearchAnalysis | null> {
  const startedMs = performance.now();
  const [client] = clients as readonly [pg.Client];
  const exact = await exactCosts(client, of);
  await using sampled = await SampledRows.open(clients, of, paths);
  if (sampled.rowsCount === 0) return null;
  const weightings = new SampledWeightings(sampled.spaces.length, sampled.random);
  const rungs = await sampled.timedRungs(weightings.of(0));
  const gathered = new FindingsByShares();
  let [begun, queries] = [0, 0];
  const isTime = () => begun < queriesMin || performance.now() - startedMs < secondsMax * 1_000;
  const lookFor = async (own: pg.Client) => {
    while (begun < queriesMax && isTime() && signal?.aborted !== true) {
      const weighed = weightings.of(begun);
      begun += 1;
      const query = await sampled.nextQuery(own);
      const sides = sampled.sidesOf(query);
      for (const weights of weighed) {
        if (!judgesPlans(weights, { sides, areShared: query.areShared })) continue;
        gathered.add(weights, sides, await sampled.findingsOf(query, weights, hitsWanted));
      }
      queries += 1;
      onProgress({ done: queries, total: queriesMax });
    }
  };
  await Promise.all(clients.map(lookFor));
  if (signal?.aborted) return null;
  const weighed = gathered.all();
  const isShortened = paths.some(
    ({ kind, shortened }) => kind === "fused" && Object.keys(shortened).length > 0,
  );
  const candidates = isShortened ? shortenedWanted : candidatesWanted;
  const learned = learnPlans(rungs, weighed, { wanted: hitsWanted, targets, candidates });
  await sampled[Symbol.asyncDispose]();
  const shares = weighed.map((one) => one.shares);
  await write(client, of, {
    rows: sampled.rowsCount,
    ...exact,
    mean: sampled.mean,
    paths,
    rungs,
    shares,
    learned,
  });
  return {
    rows: sampled.rowsCount,
    queries,
    weightings: weighed.length,
    plans: learned.plans.length,
    scanning: learned.outcomes.filter((outcomes) => outcomes.every(({ recall }) => recall < usualTarget))
      .length,
    exactMs: exact.scanMs + exact.scoreMs,
    seconds: (performance.now() - startedMs) / 1_000,
  };
}

/** Of a scan that only reads the rows, and of what scoring them adds. */
async function exactCosts(
  client: pg.Client,
  { collection, generation, view }: AnalysedRows,
): Promise<{ scanMs: number; scoreMs: number }> {
  const timed = async (sql: string, values: readonly unknown[]) => {
    const times: number[] = [];
    for (let round = 0; round < exactRounds; round++) {
      const startedMs = performance.now();
      await client.query(sql, [...values]);
      times.push(performance.now() - startedMs);
    }
    return usualOf(times);
  };
  const scanMs = await timed(`select count(*) from ${view} where version > 0`, []);
  const exactMs = await timed(
    `select count(*) from (select embedding::vector as query from ${view} where embedding is not null limit 1) as row,
  medley_internal.as_generation($1, $2) as found, medley_internal.candidate_ids(found, row.query, 10, 20, 1, null)`,
    [collection, generation],
  );
  return { scanMs, scoreMs: Math.max(exactMs - scanMs, 0) };
}

interface Learned {
  readonly rows: number;
  readonly scanMs: number;
  readonly scoreMs: number;
  readonly mean: readonly number[];
  readonly paths: readonly MeasuredPath[];
  readonly rungs: readonly Rung[];
  readonly shares: readonly (readonly number[])[];
  readonly learned: LearnedPlans;
}

async function write(client: pg.Client, { table }: AnalysedRows, found: Learned): Promise<void> {
  const { paths, rungs, shares, learned } = found;
  const readOf = (at: number) => {
    const { place, depth } = rungs[at] as Rung;
    const deeper = deeperRung(rungs, at);
    const path = paths.find((one) => one.place === place);
    return { ...path, depth, deeper: deeper === null ? null : (rungs[deeper] as Rung).depth };
  };
  const plans = learned.plans.map((plan) => JSON.stringify(plan.map(readOf)));
  await inTransaction(client, async () => {
    // Of two at once the second would not see what the first has just written, and would add to it.
    await client.query("lock table medley_internal.search_statistics in share row exclusive mode");
    await forgetPlans(client, table);
    await client.query(
      `insert into medley_internal.search_statistics (table_name, rows, scan_ms, score_ms, mean, growths)
values ($1, $2, $3, $4, $5, $6)`,
      [table, found.rows, found.scanMs, found.scoreMs, JSON.stringify(found.mean), learned.growths],
    );
    await client.query(
      `insert into medley_internal.search_plans (table_name, number, paths)
select $1, number, paths::jsonb from unnest($2::text[]) with ordinality as plan (paths, number)`,
      [table, plans],
    );
    if (plans.length > 0) {
      await client.query(
        `insert into medley_internal.search_weightings (table_name, shares, recalls, costs)
select $1, shares::vector, recalls::vector, costs::vector
from unnest($2::text[], $3::text[], $4::text[]) as learned (shares, recalls, costs)`,
        [
          table,
          shares.map((one) => JSON.stringify(one)),
          learned.outcomes.map((outcomes) => JSON.stringify(outcomes.map(({ recall }) => recall))),
          learned.outcomes.map((outcomes) => JSON.stringify(outcomes.map(({ ms }) => ms))),
        ],
      );
    }
  });
}
