import { strict as assert } from "node:assert";
import { type FullText, isTextSpace } from "@medley/core";
import {
  analyzeSearch,
  buildIndex,
  migrate,
  openPool,
  openPostgresStore,
  type PostgresStore,
  type Search,
} from "@medley/store";
import type pg from "pg";
import { OwnDatabase } from "../../own-database.ts";
import { secondsOf } from "../duel.ts";
import type { Film } from "../films.ts";
import { type ManyFilms, manyFilms } from "../many-films.ts";
import { type Measurement, median } from "../measurement.ts";
import { cpuMsOf } from "../server-cpu.ts";
import { openServers } from "../servers.ts";
import { readLines } from "../shared-data.ts";

const filmsCount = 12_593;
const queriesCount = 50;
const rowsPerStatement = 500;
const k = 10;

const words: FullText = {
  name: "words",
  fields: [
    { field: "title", label: "A" },
    { field: "plot", label: "B" },
  ],
  language: "english",
  weight: 1,
};

/** How many of the rows a query's words match: two words in a row of a plot, those of a few hundred rows, those of most. */
const kinds = {
  "two words": (plot: readonly string[]) => plot.slice(0, 2).join(" "),
  "some words": () => "bank or heist or robbery or detective",
  "common words": () => "man or woman or life or family or friend or kill or find",
} as const;

/** Searches of films by a plot's vector, by words, and by both, with the indexes of each; all on one idle server. */
export async function run(): Promise<Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const films = withPlots(await manyFilms(filmsCount));
  const { databaseUrl } = await openServers();
  const database = resources.use(await OwnDatabase.create(databaseUrl));
  const pool = openPool({ connectionString: database.url, connectionsMax: 1 });
  resources.adopt(pool, (open) => open.end());
  await migrate(pool, [films]);
  const plain = await openPostgresStore({ pool, collections: [films] });
  for (let at = 0; at < films.rows.length; at += rowsPerStatement)
    await plain.writeRows("films", films.rows.slice(at, at + rowsPerStatement), null);
  const worded = { ...films, collection: { ...films.collection, texts: [words] } };
  const addedSeconds = await secondsOf(() => migrate(pool, [worded]));
  const indexSeconds = await secondsOf(() => buildIndex(database.url, "films"));
  await pool.query("vacuum (analyze) medley_internal.films_g1");
  assert((await analyzeSearch(database.url, "films", { secondsMax: 30 })) !== null);
  const store = await openPostgresStore({ pool, collections: [worded] });
  const remark =
    `${filmsCount} films, medians of ${queriesCount} searches by turns; the text was added to the rows in ${addedSeconds.toFixed(1)} s, ` +
    `all indexes built in ${indexSeconds.toFixed(0)} s`;
  return measurementsOf(await trials(films, store, pool), remark);
}

/** Rows made of films as they are, so each with its own plot. */
function withPlots(films: ManyFilms): ManyFilms {
  const plots = readLines<Film>("movies/movies.jsonl.gz").map(({ plot }) => plot);
  const rows = films.rows.map((row, n) => ({ ...row, fields: { ...row.fields, plot: plots[n] as string } }));
  return { ...films, rows };
}

/** What is asked: a plot's vector, words of a kind, or both. */
interface Way {
  readonly name: string;
  readonly words: keyof typeof kinds | null;
  readonly withVector: boolean;
}

const ways: readonly Way[] = [
  { name: "vector alone", words: null, withVector: true },
  ...(Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((words) => [
    { name: `vector and ${words}`, words, withVector: true },
    { name: `${words} alone`, words, withVector: false },
  ]),
];

interface Trial {
  readonly ms: number[];
  readonly cpuMs: number[];
  readonly scanCpuMs: number[];
  readonly matching: number[];
  readonly recalls: number[];
}

/** One search of each way after the other, so that what else the machine does falls on all. */
async function trials(
  films: ManyFilms,
  store: PostgresStore,
  pool: pg.Pool,
): Promise<ReadonlyMap<Way, Trial>> {
  const { rows } = await pool.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pid = rows[0]?.pid as number;
  const found = new Map(
    ways.map((way) => [way, { ms: [], cpuMs: [], scanCpuMs: [], matching: [], recalls: [] } as Trial]),
  );
  const timed = async (asked: Search) => {
    const [startedMs, startedCpuMs] = [performance.now(), cpuMsOf(pid)];
    const hits = await store.search(asked);
    return { hits, cpuMs: cpuMsOf(pid) - startedCpuMs, ms: performance.now() - startedMs };
  };
  for (let n = 0; n < queriesCount; n++) {
    for (const [way, trial] of found) {
      const asked = { collection: "films", k, ...queryOf(films, way, n) };
      const { hits, ms, cpuMs } = await timed(asked);
      const exact = await timed({ ...asked, recall: 1 });
      const least = (exact.hits.at(-1)?.score ?? 0) - 1e-3;
      trial.ms.push(ms);
      trial.cpuMs.push(cpuMs);
      trial.scanCpuMs.push(exact.cpuMs);
      trial.recalls.push(hits.filter(({ score }) => score >= least).length / Math.max(exact.hits.length, 1));
      const { paths } = await store.explainSearch(asked);
      trial.matching.push(paths.find(({ kind }) => kind === "words")?.depth ?? 0);
    }
  }
  return found;
}

function queryOf({ rows, collection, layout }: ManyFilms, { words, withVector }: Way, n: number) {
  const row = rows[Math.floor((n * filmsCount) / queriesCount)];
  const at = collection.spaces.findIndex(isTextSpace);
  const { offset = 0, dimensions = 0 } = layout[at] ?? {};
  const plot = Float32Array.from(row?.vector.slice(offset, offset + dimensions) ?? []);
  const said = String(row?.fields.plot).match(/[a-z]{6,}/gi) ?? [];
  return {
    ...(withVector ? { parts: { plot } } : {}),
    ...(words === null ? {} : { texts: { words: kinds[words](said) } }),
  };
}

function measurementsOf(found: ReadonlyMap<Way, Trial>, remark: string): Measurement[] {
  return [...found].flatMap(([{ name, withVector }, { ms, cpuMs, scanCpuMs, matching, recalls }]) => {
    const detail = [
      `latency ${median(ms).toFixed(1)} ms beside other work, a scan ${median(scanCpuMs).toFixed(1)} ms of CPU`,
      `${median(matching)} rows match, as Postgres estimates`,
      remark,
    ].join("; ");
    const recall = recalls.reduce((sum, of) => sum + of, 0) / recalls.length;
    const cost = {
      name: `full text, ${name}, ms of the server's CPU`,
      value: median(cpuMs),
      goal: "reported",
      met: true,
      detail,
    };
    if (!withVector) return [cost];
    const least = {
      goal: "at least 0.95",
      met: recall >= 0.95,
      detail: "by score, against a scan of all rows",
    };
    return [cost, { name: `full text, ${name}, recall@10`, value: recall, ...least }];
  });
}
