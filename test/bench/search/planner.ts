import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { analyzeSearch, buildIndex, openPool, writeFilterFields } from "@medley/store";
import type pg from "pg";
import { secondsOf } from "../duel.ts";
import { filmQueries, openFilmDatabase, withoutWorkers } from "../film-database.ts";
import { type ManyFilms, manyFilms } from "../many-films.ts";
import { type Measurement, median } from "../measurement.ts";
import { seededRandom } from "../random-rows.ts";
import { cpuMsOf } from "../server-cpu.ts";
import { sweep, sweepSpaces, type Weights } from "../weight-sweep.ts";

const rowsCount = Number(process.env.MEDLEY_BENCH_PLANNER_ROWS ?? 100_000);
const analysisSeconds = Number(process.env.MEDLEY_BENCH_PLANNER_SECONDS ?? 105);
/** So many that a weighting's recall is uncertain by one hundredth; thirty left two. */
const queriesPerWeighting = 100;
const queriesPerFilter = 3;
const k = 10;
const page = join(import.meta.dirname, "../../../docs/SEARCH.md");

/**
 * Searches at many weightings: exact, planned, and by one HNSW index alone, over the same rows and without parallel workers.
 * MEDLEY_BENCH_PLANNER_DATABASE: one that has the rows and the indexes from an earlier run, and keeps them;
 * MEDLEY_BENCH_PLANNER_SECONDS: of the analysis, which asks fewer queries where the machine has other work.
 */
export async function run(): Promise<Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const films = await manyFilms(rowsCount);
  const { url: databaseUrl, built } = await openFilms(films, resources);
  const url = withoutWorkers(databaseUrl);
  const pool = openPool({ connectionString: url, connectionsMax: 1, applicationName: "medley bench" });
  resources.adopt(pool, (open) => open.end());
  await pool.query("set statement_timeout = 0; set maintenance_work_mem = '1500MB'");
  // As one would build it by hand: ours is over scaled segments.
  await pool.query(
    "create index if not exists one_index on medley_internal.films_g1 using hnsw (embedding halfvec_ip_ops)",
  );
  await writeFilterFields(url, "films", []);
  const analysis = await analyzeSearch(url, "films", { secondsMax: analysisSeconds });
  assert(analysis !== null);
  const contest = new Contest(pool, films);
  const rows: SweepRow[] = [];
  for (const weights of sweep) {
    rows.push(await contest.at(weights, queriesPerWeighting, null));
    process.stderr.write(`  ${tableRow(rows.at(-1) as SweepRow)}\n`);
  }
  const filtered: FilteredRow[] = [];
  const withFilters = async (filters: readonly { name: string; filter: object }[]) => {
    for (const { name, filter } of filters) {
      const ofFilter: SweepRow[] = [];
      for (const weights of sweep) ofFilter.push(await contest.at(weights, queriesPerFilter, filter));
      filtered.push({ name, rows: ofFilter });
    }
  };
  await withFilters([...(await byTitle(pool, "no index")), ...(await byGenre(pool))]);
  await writeFilterFields(url, "films", ["title"]);
  await buildIndex(url, "films");
  await withFilters(await byTitle(pool, "listed"));
  const overhead = await contest.overhead();
  if (process.argv.includes("--write")) writePage(rows, filtered);
  const remark =
    `${rowsCount} rows of five spaces (384 + 41 + 2 + 200 + 64 dimensions) made from 12,593 films, the rest crossed from them, PostgreSQL with ` +
    `pgvector, shared_buffers ${await settingOf(pool, "shared_buffers")}, ${built}`;
  return [
    ...sweepMeasurements(rows, remark),
    ...filtered.flatMap((one) => filterMeasurements(one, rows)),
    {
      name: "search planner, overhead of a plan, ms",
      value: overhead.ms,
      goal: "at most 2",
      met: overhead.ms <= 2,
      detail: `median of medley.explain_search over the sweep, the way to the server and back included; ${overhead.cpuMs.toFixed(2)} ms of the server's CPU`,
    },
    {
      name: "medley analyze of 100,000 rows, seconds",
      value: analysis.seconds,
      goal: "at most 120",
      met: analysis.seconds <= 120,
      detail: `${analysis.queries} queries at ${analysis.weightings} weightings, ${analysis.plans} plans; no query begun after ${analysisSeconds} s`,
    },
  ];
}

async function openFilms(
  films: ManyFilms,
  resources: AsyncDisposableStack,
): Promise<{ url: string; built: string }> {
  const given = process.env.MEDLEY_BENCH_PLANNER_DATABASE;
  if (given !== undefined) return { url: given, built: "indexes built before" };
  const url = await openFilmDatabase(films, resources);
  const seconds = await secondsOf(() => buildIndex(url, "films", { memoryMegabytes: 1_500 }));
  return { url, built: `indexes built in ${seconds.toFixed(0)} s` };
}

async function settingOf(pool: pg.Pool, name: string): Promise<string> {
  const { rows } = await pool.query<{ value: string }>("select current_setting($1) as value", [name]);
  return rows[0]?.value as string;
}

/** What a search took: its latency, and the time its process ran, which does not depend on what else the machine does. */
interface Times {
  readonly ms: number[];
  readonly cpuMs: number[];
}

const noTimes = (): Times => ({ ms: [], cpuMs: [] });

interface SweepRow {
  readonly weights: Weights;
  readonly plan: string;
  readonly fusedRecall: number;
  readonly recall: number;
  /** Medians. */
  readonly fused: Cost;
  readonly planned: Cost;
  readonly exact: Cost;
  /** Searches that gave fewer than k rows though there are. */
  readonly short: number;
}

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
}

const costOf = ({ ms, cpuMs }: Times): Cost => ({ ms: median(ms), cpuMs: median(cpuMs) });

interface FilteredRow {
  readonly name: string;
  readonly rows: readonly SweepRow[];
}

class Contest {
  readonly #pool: pg.Pool;
  readonly #films: ManyFilms;
  readonly #random = seededRandom(99);
  #pid: number | null = null;
  #turn = 0;

  constructor(pool: pg.Pool, films: ManyFilms) {
    this.#pool = pool;
    this.#films = films;
  }

  /** Exact scans first, since one empties the processor's caches; then planned and by one index, the one first as often as the other. */
  async at(weights: Weights, queriesCount: number, filter: object | null): Promise<SweepRow> {
    const [fusedTimes, times, exactTimes] = [noTimes(), noTimes(), noTimes()];
    let [fusedFound, found, wanted, short] = [0, 0, 0, 0];
    const plans = new Map<string, number>();
    const condition = filter === null ? null : JSON.stringify(filter);
    const where = await this.#where(condition);
    const queries = this.#queries(weights, queriesCount);
    const exact: { score: number }[][] = [];
    const searchSql = "select id, score from medley.search('films', $1, $2, $3)";
    const exactSql = "select id, score from medley.search('films', $1, $2, $3, 1)";
    for (const query of queries) exact.push(await this.#timed(exactSql, query, condition, exactTimes));
    for (const [at, query] of queries.entries()) {
      const best = exact[at] as { score: number }[];
      // The second finds in memory what the first has read.
      const fusedFirst =
        this.#turn++ % 2 === 0 ? await this.#fused(query, where, condition, fusedTimes) : null;
      const planned = await this.#timed(searchSql, query, condition, times);
      const fused = fusedFirst ?? (await this.#fused(query, where, condition, fusedTimes));
      const least = (best.at(-1)?.score ?? 0) - 5e-4 * Math.hypot(...weights);
      wanted += best.length;
      found += planned.filter(({ score }) => score >= least).length;
      fusedFound += fused.filter(({ score }) => score >= least).length;
      if (planned.length < best.length) short += 1;
      const plan = await this.#plan(query, condition);
      plans.set(plan, (plans.get(plan) ?? 0) + 1);
    }
    const [plan] = [...plans].sort(([, a], [, b]) => b - a)[0] as [string, number];
    return {
      weights,
      plan,
      fusedRecall: fusedFound / wanted,
      recall: found / wanted,
      fused: costOf(fusedTimes),
      planned: costOf(times),
      exact: costOf(exactTimes),
      short,
    };
  }

  async overhead(): Promise<Cost> {
    const times = noTimes();
    for (const query of sweep.flatMap((weights) => this.#queries(weights, 1))) {
      await this.#timed("select * from medley.explain_search('films', $1, $2, $3)", query, null, times);
    }
    return costOf(times);
  }

  #queries(weights: Weights, count: number): string[] {
    return filmQueries(this.#films, { weights, count, random: this.#random });
  }

  async #timed(
    sql: string,
    query: string,
    filter: string | null,
    times: Times,
  ): Promise<{ id: string; score: number }[]> {
    this.#pid ??= (await this.#pool.query("select pg_backend_pid() as pid")).rows[0].pid as number;
    let rows: { id: string; score: number }[] = [];
    const before = cpuMsOf(this.#pid);
    const seconds = await secondsOf(async () => ({ rows } = await this.#pool.query(sql, [query, k, filter])));
    times.cpuMs.push(cpuMsOf(this.#pid) - before);
    times.ms.push(1_000 * seconds);
    return rows;
  }

  async #where(filter: string | null): Promise<string> {
    const { rows } = await this.#pool.query<{ condition: string }>(
      "select medley_internal.filter_condition(medley_internal.collection_of('films'), $1) as condition",
      [filter],
    );
    return rows[0]?.condition.replaceAll("$3", "$3::jsonb") as string;
  }

  /** As one would search by hand: `one_index`, 40 candidates, more of them where the filter asks for it. */
  async #fused(query: string, where: string, filter: string | null, times: Times) {
    await this.#pool.query(
      "set hnsw.ef_search = 40; set enable_sort = off; set hnsw.iterative_scan = relaxed_order",
    );
    const rows = await this.#timed(
      `select id, -(embedding <#> $1::halfvec) as score from medley.films as row
where ${where} and ($3::jsonb is null or true) order by embedding <#> $1::halfvec limit $2`,
      query,
      filter,
      times,
    );
    await this.#pool.query("reset hnsw.ef_search; reset enable_sort; reset hnsw.iterative_scan");
    return rows;
  }

  async #plan(query: string, filter: string | null): Promise<string> {
    const { rows } = await this.#pool.query<{ paths: { path: string; depth: number }[] }>(
      "select paths from medley.explain_search('films', $1, $2, $3)",
      [query, k, filter],
    );
    const paths = rows[0]?.paths ?? [];
    return paths.length === 0 ? "exact" : paths.map(({ path, depth }) => `${path} ${depth}`).join(", ");
  }
}

/** Half of the rows, about 5 % and .5 %. */
async function byTitle(
  pool: pg.Pool,
  how: "no index" | "listed",
): Promise<readonly { name: string; filter: object }[]> {
  const title = async (share: number) => {
    const { rows } = await pool.query<{ least: string }>(
      `select percentile_disc(1 - $1::float8) within group (order by title collate "C") as least from medley.films`,
      [share],
    );
    return { name: `${100 * share} % by title (${how})`, filter: { title: { gte: rows[0]?.least } } };
  };
  return Promise.all([0.5, 0.05, 0.005].map(title));
}

/** About 5 % and .5 %, by an index that a space has. */
async function byGenre(pool: pg.Pool): Promise<readonly { name: string; filter: object }[]> {
  const genre = async (share: number) => {
    const { rows } = await pool.query<{ genre: string; share: number }>(
      `select genre, count(*)::float8 / $2 as share from medley.films, unnest(genres) as genre group by 1
order by abs(count(*)::float8 / $2 - $1::float8) limit 1`,
      [share, rowsCount],
    );
    const found = rows[0] as (typeof rows)[0];
    return { name: `${(100 * found.share).toPrecision(2)} % by genre`, filter: { genres: found.genre } };
  };
  return Promise.all([0.05, 0.005].map(genre));
}

function sweepMeasurements(rows: readonly SweepRow[], remark: string): Measurement[] {
  const least = Math.min(...rows.map(({ recall }) => recall));
  const [latency, cpu] = [medians(rows, "ms"), medians(rows, "cpuMs")];
  const missed = rows
    .filter(({ recall }) => recall < 0.95)
    .map(({ weights, recall }) => `${weights.join("/")}: ${recall.toFixed(3)}`);
  const short = rows.reduce((sum, row) => sum + row.short, 0);
  const leastFused = Math.min(...rows.map(({ fusedRecall }) => fusedRecall));
  return [
    {
      name: `search planner, least recall@10 over ${rows.length} weightings`,
      value: least,
      goal: "at least 0.95",
      met: least >= 0.95,
      detail:
        `${remark}; ${queriesPerWeighting} queries each, one HNSW index at ef 40: ${leastFused.toFixed(3)}; ` +
        `below: ${missed.length === 0 ? "none" : missed.join(", ")}; searches with fewer than ${k} rows: ${short}`,
    },
    {
      name: "search planner / one HNSW scan at ef 40, median latency",
      value: latency.toFused,
      goal: "at most 4",
      met: latency.toFused <= 4,
      detail: `medians over the sweep, no parallel workers: ${latency.text}; of the server's CPU ${cpu.text}: ${cpu.toFused.toFixed(2)} times`,
    },
    {
      name: "search planner / exact scan, median latency",
      value: latency.toExact,
      goal: "at most 0.2",
      met: latency.toExact <= 0.2,
      detail: `as above; of the server's CPU ${cpu.toExact.toFixed(3)} times`,
    },
  ];
}

function medians(rows: readonly SweepRow[], of: keyof Cost) {
  const [fused, planned, exact] = (["fused", "planned", "exact"] as const).map((way) =>
    median(rows.map((row) => row[way][of])),
  ) as [number, number, number];
  const text = `planned ${planned.toFixed(1)}, one index ${fused.toFixed(1)}, exact ${exact.toFixed(1)} ms`;
  return { fused, planned, exact, toFused: planned / fused, toExact: planned / exact, text };
}

function filterMeasurements({ name, rows }: FilteredRow, unfiltered: readonly SweepRow[]): Measurement[] {
  const recall = rows.reduce((sum, row) => sum + row.recall, 0) / rows.length;
  const short = rows.reduce((sum, row) => sum + row.short, 0);
  const [latency, cpu] = [medians(rows, "ms"), medians(rows, "cpuMs")];
  const scan = medians(unfiltered, "ms").exact;
  return [
    {
      name: `search planner, recall@10 where ${name} of the rows pass`,
      value: recall,
      goal: "at least 0.95, and never fewer than k rows",
      met: recall >= 0.95 && short === 0,
      detail: `mean over the sweep, ${queriesPerFilter} queries each; fewer than ${k} rows: ${short}`,
    },
    {
      name: `search planner / one HNSW scan at ef 40, where ${name} of the rows pass`,
      value: latency.toFused,
      goal: "at most 4, and at most 0.2 of a scan of all rows",
      met: latency.toFused <= 4 && latency.planned <= 0.2 * scan,
      detail:
        `medians (one index goes on until it has enough): ${latency.text}; ${(latency.planned / scan).toFixed(3)} of a scan of all rows, ` +
        `${latency.toExact.toFixed(2)} of one of those that pass; of the server's CPU ${cpu.text}: ${cpu.toFused.toFixed(2)} times one index`,
    },
  ];
}

function tableRow(row: SweepRow): string {
  const recalls = [row.fusedRecall, row.recall].map((recall) => recall.toFixed(3));
  const cpu = [row.fused, row.planned, row.exact].map(({ cpuMs }) => cpuMs.toFixed(1));
  return `| ${row.weights.join(" / ")} | ${[...recalls, ...cpu].join(" | ")} | ${row.plan} |`;
}

const [begin, end] = ["<!-- sweep -->", "<!-- end of sweep -->"] as const;

function writePage(rows: readonly SweepRow[], filtered: readonly FilteredRow[]): void {
  const text = readFileSync(page, "utf8");
  const [before, after] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  const head = `| ${sweepSpaces.join(" / ")} | one index | planned | one index, ms | planned, ms | exact, ms | plan |`;
  const filterRows = filtered.map(({ name, rows: of }) => {
    const mean = (pick: (row: SweepRow) => number) => of.reduce((sum, row) => sum + pick(row), 0) / of.length;
    const cpu = medians(of, "cpuMs");
    const recalls = [mean((row) => row.fusedRecall), mean((row) => row.recall)].map((recall) =>
      recall.toFixed(3),
    );
    const costs = [cpu.fused, cpu.planned, cpu.exact].map((ms) => ms.toFixed(1));
    return `| ${name} | ${[...recalls, ...costs].join(" | ")} |`;
  });
  const tables = [
    head,
    "|---|---|---|---|---|---|---|",
    ...rows.map(tableRow),
    "",
    "| rows that pass | one index | planned | one index, ms | planned, ms | exact, ms |",
    "|---|---|---|---|---|---|",
    ...filterRows,
  ];
  writeFileSync(page, `${before}\n${tables.join("\n")}\n${after}`);
}
