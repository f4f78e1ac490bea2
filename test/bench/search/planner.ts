import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { analyzeSearch, buildIndex, migrate, openPool, openPostgresStore } from "@medley/store";
import type pg from "pg";
import { OwnDatabase } from "../../own-database.ts";
import { secondsOf } from "../duel.ts";
import { type ManyFilms, manyFilms } from "../many-films.ts";
import { type Measurement, median } from "../measurement.ts";
import { seededRandom } from "../random-rows.ts";
import { openServers } from "../servers.ts";
import { sweep, sweepSpaces, type Weights } from "../weight-sweep.ts";

const rowsCount = Number(process.env.MEDLEY_BENCH_PLANNER_ROWS ?? 100_000);
const rowsPerStatement = 500;
const queriesPerWeighting = 16;
const queriesPerFilter = 4;
const k = 10;
const page = join(import.meta.dirname, "../../../docs/SEARCH.md");

/** Searches at many weightings: planned, by one HNSW index alone, and exact, by turns over the same rows. */
export async function run(): Promise<Measurement[]> {
  const { databaseUrl } = await openServers();
  await using database = await OwnDatabase.create(databaseUrl);
  const films = await manyFilms(rowsCount);
  const pool = openPool({ connectionString: database.url, connectionsMax: 1 });
  await using resources = new AsyncDisposableStack();
  resources.adopt(pool, (open) => open.end());
  await load(pool, films);
  const buildSeconds = await secondsOf(() => buildIndex(database.url, "films", { memoryMegabytes: 1_500 }));
  const analysis = await analyzeSearch(database.url, "films");
  assert(analysis !== null);
  const contest = new Contest(pool, films);
  const rows: SweepRow[] = [];
  for (const weights of sweep) {
    rows.push(await contest.at(weights, queriesPerWeighting, null));
    process.stderr.write(`  ${tableRow(rows.at(-1) as SweepRow)}\n`);
  }
  const filtered: FilteredRow[] = [];
  for (const { name, filter } of await filtersOf(pool)) {
    const ofFilter: SweepRow[] = [];
    for (const weights of sweep) ofFilter.push(await contest.at(weights, queriesPerFilter, filter));
    filtered.push({ name, rows: ofFilter });
  }
  const overheadMs = await contest.overheadMs();
  if (process.argv.includes("--write")) writePage(rows, filtered);
  const remark =
    `${rowsCount} rows of five spaces (384 + 41 + 2 + 200 + 64 dimensions) made from 12,593 films, the rest crossed from them, PostgreSQL with ` +
    `pgvector, indexes built in ${buildSeconds.toFixed(0)} s`;
  return [
    ...sweepMeasurements(rows, remark),
    ...filtered.flatMap((one) => filterMeasurements(one)),
    {
      name: "search planner, overhead of a plan, ms",
      value: overheadMs,
      goal: "at most 2",
      met: overheadMs <= 2,
      detail: "median of medley.explain_search over the sweep, the way to the server and back included",
    },
    {
      name: "medley analyze of 100,000 rows, seconds",
      value: analysis.seconds,
      goal: "at most 120",
      met: analysis.seconds <= 120,
      detail: `${analysis.queries} queries at ${analysis.weightings} weightings, ${analysis.plans} plans`,
    },
  ];
}

async function load(pool: pg.Pool, films: ManyFilms): Promise<void> {
  await migrate(pool, [films]);
  const store = await openPostgresStore({ pool, collections: [films] });
  for (let at = 0; at < films.rows.length; at += rowsPerStatement) {
    await store.writeRows("films", films.rows.slice(at, at + rowsPerStatement), null);
  }
  await pool.query("vacuum (analyze) medley_internal.films_g1");
}

interface SweepRow {
  readonly weights: Weights;
  readonly plan: string;
  readonly fusedRecall: number;
  readonly recall: number;
  readonly fusedMs: number;
  readonly ms: number;
  readonly exactMs: number;
  /** Searches that gave fewer than k rows though there are. */
  readonly short: number;
}

interface FilteredRow {
  readonly name: string;
  readonly rows: readonly SweepRow[];
}

/** Queries of plot, year, cast and release of one film and genres of another. */
class Contest {
  readonly #pool: pg.Pool;
  readonly #films: ManyFilms;
  readonly #random = seededRandom(99);

  constructor(pool: pg.Pool, films: ManyFilms) {
    this.#pool = pool;
    this.#films = films;
  }

  async at(weights: Weights, queries: number, filter: object | null): Promise<SweepRow> {
    const [fusedMs, ms, exactMs]: [number[], number[], number[]] = [[], [], []];
    let [fusedFound, found, wanted, short] = [0, 0, 0, 0];
    const plans = new Map<string, number>();
    const condition = filter === null ? null : JSON.stringify(filter);
    while (exactMs.length < queries) {
      const query = this.#query(weights);
      if (query === null) continue;
      const exact = await this.#timed(
        "select id, score from medley.search('films', $1, $2, $3, 1)",
        query,
        condition,
        exactMs,
      );
      const planned = await this.#timed(
        "select id, score from medley.search('films', $1, $2, $3)",
        query,
        condition,
        ms,
      );
      const fused = await this.#fused(query, condition, fusedMs);
      const least = (exact.at(-1)?.score ?? 0) - 1e-3 * Math.hypot(...weights);
      wanted += exact.length;
      found += planned.filter(({ score }) => score >= least).length;
      fusedFound += fused.filter(({ score }) => score >= least).length;
      if (planned.length < exact.length) short += 1;
      const plan = await this.#plan(query, condition);
      plans.set(plan, (plans.get(plan) ?? 0) + 1);
    }
    const [plan] = [...plans].sort(([, a], [, b]) => b - a)[0] as [string, number];
    return {
      weights,
      plan,
      fusedRecall: fusedFound / wanted,
      recall: found / wanted,
      fusedMs: median(fusedMs),
      ms: median(ms),
      exactMs: median(exactMs),
      short,
    };
  }

  async overheadMs(): Promise<number> {
    const times: number[] = [];
    for (const weights of sweep) {
      const query = this.#query(weights);
      if (query !== null)
        await this.#timed("select * from medley.explain_search('films', $1, $2, $3)", query, null, times);
    }
    return median(times);
  }

  /** Null: the films drawn have nothing in the spaces that count. */
  #query(weights: Weights): string | null {
    const { rows, layout } = this.#films;
    const draw = () => (rows[Math.floor(this.#random() * rows.length)] as (typeof rows)[0]).vector;
    const [one, other] = [draw(), draw()];
    const values = layout.flatMap(({ space, offset, dimensions }, at) => {
      const segment = (space === "genres" ? other : one).subarray(offset, offset + dimensions);
      return Array.from(segment, (x) => x * (weights[at] as number));
    });
    return values.every((x) => x === 0) ? null : JSON.stringify(values);
  }

  async #timed(
    sql: string,
    query: string,
    filter: string | null,
    times: number[],
  ): Promise<{ id: string; score: number }[]> {
    let rows: { id: string; score: number }[] = [];
    times.push(
      1_000 * (await secondsOf(async () => ({ rows } = await this.#pool.query(sql, [query, k, filter])))),
    );
    return rows;
  }

  /** As one would search by hand: one index, 40 candidates, more of them where the filter asks for it. */
  async #fused(query: string, filter: string | null, times: number[]): Promise<{ score: number }[]> {
    await this.#pool.query(
      "set hnsw.ef_search = 40; set enable_sort = off; set hnsw.iterative_scan = relaxed_order",
    );
    const { rows: conditions } = await this.#pool.query<{ condition: string }>(
      "select medley_internal.filter_condition(medley_internal.collection_of('films'), $1) as condition",
      [filter],
    );
    const condition = conditions[0]?.condition.replaceAll("$3", "$3::jsonb") as string;
    const rows = await this.#timed(
      `select id, -(embedding <#> $1::halfvec) as score from medley.films as row
where ${condition} and ($3::jsonb is null or true) order by embedding <#> $1::halfvec limit $2`,
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

/** Half of the rows by title, about 5 % and .5 % by genre: columns that no index is on. */
async function filtersOf(pool: pg.Pool): Promise<{ name: string; filter: object }[]> {
  const { rows: titles } = await pool.query<{ middle: string }>(
    "select percentile_disc(0.5) within group (order by title) as middle from medley.films",
  );
  const genre = async (share: number) => {
    const { rows } = await pool.query<{ genre: string; share: number }>(
      `select genre, count(*)::float8 / $2 as share from medley.films, unnest(genres) as genre group by 1
order by abs(count(*)::float8 / $2 - $1::float8) limit 1`,
      [share, rowsCount],
    );
    const found = rows[0] as (typeof rows)[0];
    return { name: `${(100 * found.share).toPrecision(2)} %`, filter: { genres: found.genre } };
  };
  return [
    { name: "50 %", filter: { title: { gte: titles[0]?.middle } } },
    await genre(0.05),
    await genre(0.005),
  ];
}

function sweepMeasurements(rows: readonly SweepRow[], remark: string): Measurement[] {
  const least = Math.min(...rows.map(({ recall }) => recall));
  const ratios = latencies(rows);
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
      value: ratios.toFused,
      goal: "at most 4",
      met: ratios.toFused <= 4,
      detail: `medians over the sweep: planned ${ratios.ms.toFixed(1)}, one index ${ratios.fusedMs.toFixed(1)}, exact ${ratios.exactMs.toFixed(1)} ms`,
    },
    {
      name: "search planner / exact scan, median latency",
      value: ratios.toExact,
      goal: "at most 0.2",
      met: ratios.toExact <= 0.2,
      detail: "as above, interleaved",
    },
  ];
}

function latencies(rows: readonly SweepRow[]) {
  const ms = median(rows.map((row) => row.ms));
  const fusedMs = median(rows.map((row) => row.fusedMs));
  const exactMs = median(rows.map((row) => row.exactMs));
  return { ms, fusedMs, exactMs, toFused: ms / fusedMs, toExact: ms / exactMs };
}

function filterMeasurements({ name, rows }: FilteredRow): Measurement[] {
  const recall = rows.reduce((sum, row) => sum + row.recall, 0) / rows.length;
  const short = rows.reduce((sum, row) => sum + row.short, 0);
  const { toFused, toExact, ms, fusedMs, exactMs } = latencies(rows);
  return [
    {
      name: `search planner, recall@10 where ${name} of the rows pass`,
      value: recall,
      goal: "at least 0.95, and never fewer than k rows",
      met: recall >= 0.95 && short === 0,
      detail:
        `mean over the sweep, ${queriesPerFilter} queries each; fewer than ${k} rows: ${short}; medians: planned ${ms.toFixed(1)}, one index that goes ` +
        `on until it has enough ${fusedMs.toFixed(1)} (${toFused.toFixed(2)} times), exact ${exactMs.toFixed(1)} ms (${toExact.toFixed(2)} times)`,
    },
  ];
}

function tableRow(row: SweepRow): string {
  const figures = [
    row.fusedRecall.toFixed(3),
    row.recall.toFixed(3),
    row.fusedMs.toFixed(1),
    row.ms.toFixed(1),
    row.exactMs.toFixed(1),
  ];
  return `| ${row.weights.join(" / ")} | ${figures.join(" | ")} | ${row.plan} |`;
}

const [begin, end] = ["<!-- sweep -->", "<!-- end of sweep -->"] as const;

function writePage(rows: readonly SweepRow[], filtered: readonly FilteredRow[]): void {
  const text = readFileSync(page, "utf8");
  const [before, after] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  const head = `| ${sweepSpaces.join(" / ")} | one index | planned | one index, ms | planned, ms | exact, ms | plan |`;
  const filterRows = filtered.map(({ name, rows: of }) => {
    const mean = (pick: (row: SweepRow) => number) => of.reduce((sum, row) => sum + pick(row), 0) / of.length;
    const { ms, fusedMs, exactMs } = latencies(of);
    const figures = [mean((row) => row.fusedRecall).toFixed(3), mean((row) => row.recall).toFixed(3)];
    return `| ${name} | ${[...figures, fusedMs.toFixed(1), ms.toFixed(1), exactMs.toFixed(1)].join(" | ")} |`;
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
