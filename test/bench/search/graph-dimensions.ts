import { strict as assert } from "node:assert";
import { version } from "@medley/core";
import { analyzeSearch, buildIndex, openPool, openPostgresStore, readPathIndexes } from "@medley/store";
import { setGraphDimensions } from "medley";
import type pg from "pg";
import { secondsOf } from "../duel.ts";
import { filmQueries, openFilmDatabase, withoutWorkers } from "../film-database.ts";
import { type ManyFilms, manyFilms } from "../many-films.ts";
import { type Measurement, median } from "../measurement.ts";
import { seededRandom } from "../random-rows.ts";
import { cpuMsOf } from "../server-cpu.ts";
import { sweep, type Weights } from "../weight-sweep.ts";

const rowsCount = 100_000;
const queriesPerWeighting = 30;
const rowsWritten = 500;
const k = 10;

/** The same rows twice: graphs over all dimensions, and over half of them. Searches by turns, both planned for .95 of the best. */
export async function run(): Promise<Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const films = await manyFilms(rowsCount);
  const dimensions = films.layout.reduce((sum, space) => sum + space.dimensions, 0);
  const half = Math.floor(dimensions / 2);
  const sides = {
    whole: await openSide(films, null, resources),
    half: await openSide(films, half, resources),
  };
  const contest = await searchByTurns(films, sides);
  const written = { whole: await msPerRow(films, sides.whole), half: await msPerRow(films, sides.half) };
  const bytes = { whole: await graphBytes(sides.whole.pool), half: await graphBytes(sides.half.pool) };
  const named = `graphs over ${half} of ${dimensions} dimensions`;
  const remark = `${rowsCount} rows of five spaces made from 12,593 films; ${sides.half.split}`;
  const { recall, ms } = contest;
  return [
    {
      name: `${named}: recall@10 lost by planned searches`,
      value: recall.whole - recall.half,
      goal: "at most 0.02",
      met: recall.whole - recall.half <= 0.02,
      detail:
        `mean over ${sweep.length} weightings of ${queriesPerWeighting} queries each: ${recall.half.toFixed(4)}, over all dimensions ` +
        `${recall.whole.toFixed(4)}; the least ${contest.least.half.toFixed(3)} and ${contest.least.whole.toFixed(3)}; ${remark}`,
    },
    ratio(`${named} / over all: milliseconds of a search`, ms, "medians over the sweep, of the server's CPU"),
    ratio(`${named} / over all: megabytes of all graphs`, bytes, "as Postgres stores them"),
    ratio(
      `${named} / over all: milliseconds of a row that is written`,
      written,
      `${rowsWritten} rows in statements of 50, of the server's CPU`,
    ),
    ratio(
      `${named} / over all: seconds to build all indexes`,
      { whole: sides.whole.buildSeconds, half: sides.half.buildSeconds },
      `finding the axes took ${sides.half.fitSeconds.toFixed(0)} s more`,
    ),
  ];
}

interface Side {
  readonly pool: pg.Pool;
  readonly fitSeconds: number;
  readonly buildSeconds: number;
  readonly split: string;
}

async function openSide(
  films: ManyFilms,
  dimensions: number | null,
  resources: AsyncDisposableStack,
): Promise<Side> {
  const url = withoutWorkers(await openFilmDatabase(films, resources));
  const pool = openPool({ connectionString: url, connectionsMax: 1, applicationName: "medley bench" });
  resources.adopt(pool, (open) => open.end());
  await pool.query("set statement_timeout = 0");
  let split = "";
  const fitSeconds = await secondsOf(async () => {
    const { signal } = new AbortController();
    const set = await setGraphDimensions({
      ...{ pool, connectionString: url, dimensions, signal },
      of: { collection: "films" },
    });
    if (set.state === "fitted")
      split = set.split.spaces.map(({ space, from, to }) => `${space} ${to} of ${from}`).join(", ");
  });
  const buildSeconds = await secondsOf(() => buildIndex(url, "films", { memoryMegabytes: 1_500 }));
  assert((await analyzeSearch(url, "films")) !== null);
  return { pool, fitSeconds, buildSeconds, split };
}

interface Sides<Value> {
  readonly whole: Value;
  readonly half: Value;
}

async function searchByTurns(films: ManyFilms, sides: Sides<Side>) {
  const random = seededRandom(77);
  const recalls: Record<keyof Sides<unknown>, number[]> = { whole: [], half: [] };
  const medians: Record<keyof Sides<unknown>, number[]> = { whole: [], half: [] };
  for (const [turn, weights] of sweep.entries()) {
    const queries = filmQueries(films, { weights, count: queriesPerWeighting, random });
    const order = turn % 2 === 0 ? (["whole", "half"] as const) : (["half", "whole"] as const);
    const times = { whole: [] as number[], half: [] as number[] };
    const found = { whole: 0, half: 0 };
    for (const query of queries) {
      const least = await leastOfBest(sides.whole, query, weights);
      for (const side of order) {
        const { scores, cpuMs } = await search(sides[side], query, 0.95);
        times[side].push(cpuMs);
        found[side] += scores.filter((score) => score >= least).length / k;
      }
    }
    for (const side of order) {
      recalls[side].push(found[side] / queries.length);
      medians[side].push(median(times[side]));
    }
  }
  const ofEach = (of: (values: number[]) => number, from: typeof recalls): Sides<number> => ({
    whole: of(from.whole),
    half: of(from.half),
  });
  return {
    recall: ofEach((values) => values.reduce((sum, x) => sum + x, 0) / values.length, recalls),
    least: ofEach((values) => Math.min(...values), recalls),
    ms: ofEach(median, medians),
  };
}

/** To half precision, by which rows are stored. */
async function leastOfBest(side: Side, query: string, weights: Weights): Promise<number> {
  const { scores } = await search(side, query, 1);
  return (scores.at(-1) as number) - 5e-4 * Math.hypot(...weights);
}

async function search({ pool }: Side, query: string, recall: number) {
  const pid = await sessionOf(pool);
  const before = cpuMsOf(pid);
  const { rows } = await pool.query<{ score: number }>(
    "select score from medley.search('films', $1, $2, null, $3)",
    [query, k, recall],
  );
  return { scores: rows.map(({ score }) => score), cpuMs: cpuMsOf(pid) - before };
}

/** The pool's one session; it opens another where one was idle for long. */
async function sessionOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid as number;
}

/** Of rows that are new, into live indexes. */
async function msPerRow(films: ManyFilms, { pool }: Side): Promise<number> {
  const store = await openPostgresStore({ pool, collections: [films] });
  const pid = await sessionOf(pool);
  const before = cpuMsOf(pid);
  for (let at = 0; at < rowsWritten; at += 50) {
    const rows = films.rows
      .slice(at, at + 50)
      .map((row) => ({ ...row, id: `late-${row.id}`, version: version(9n) }));
    await store.writeRows("films", rows, null);
  }
  return (cpuMsOf(pid) - before) / rowsWritten;
}

/** In megabytes. */
async function graphBytes(pool: pg.Pool): Promise<number> {
  const graphs = (await readPathIndexes(pool, "films")).filter(({ graph }) => graph);
  const { rows } = await pool.query<{ bytes: number }>(
    "select sum(pg_relation_size(format('medley_internal.%s', name)::regclass))::float8 as bytes from unnest($1::text[]) as name",
    [graphs.map(({ name }) => name)],
  );
  return (rows[0]?.bytes as number) / 2 ** 20;
}

function ratio(name: string, { half, whole }: Sides<number>, how: string): Measurement {
  assert(whole > 0, "the server is on this machine, and Linux counts what its processes run");
  const value = half / whole;
  return {
    name,
    value,
    goal: "reported",
    met: true,
    detail: `${half.toFixed(2)} and ${whole.toFixed(2)}; ${how}`,
  };
}
