import { strict as assert } from "node:assert";
import { type FullText, isTextSpace } from "@medley/core";
import {
  analyzeSearch,
  buildIndex,
  migrate,
  openPool,
  openPostgresStore,
  type PostgresStore,
} from "@medley/store";
import { OwnDatabase } from "../../own-database.ts";
import { secondsOf } from "../duel.ts";
import type { Film } from "../films.ts";
import { type ManyFilms, manyFilms } from "../many-films.ts";
import { type Measurement, median } from "../measurement.ts";
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
  const contest = new Contest(store, films);
  const detail = `${filmsCount} films, medians of ${queriesCount} searches, way to the server included; the text was added in ${addedSeconds.toFixed(1)} s, all indexes built in ${indexSeconds.toFixed(0)} s`;
  return await contest.measured(detail);
}

/** Rows made of films as they are, so each with its own plot. */
function withPlots(films: ManyFilms): ManyFilms {
  const plots = readLines<Film>("movies/movies.jsonl.gz").map(({ plot }) => plot);
  const rows = films.rows.map((row, n) => ({ ...row, fields: { ...row.fields, plot: plots[n] as string } }));
  return { ...films, rows };
}

class Contest {
  readonly #store: PostgresStore;
  readonly #films: ManyFilms;

  constructor(store: PostgresStore, films: ManyFilms) {
    this.#store = store;
    this.#films = films;
  }

  async measured(detail: string): Promise<Measurement[]> {
    const alone = await this.#trial(null, true);
    const measurements: Measurement[] = [measurement("vector alone, ms", alone.ms, detail)];
    for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
      const both = await this.#trial(kind, true);
      const ofWords = await this.#trial(kind, false);
      const matching = `${both.matching} rows match (median, as Postgres estimates)`;
      measurements.push(
        measurement(`vector and ${kind}, ms`, both.ms, matching),
        measurement(`${kind} alone, ms`, ofWords.ms, matching),
        {
          ...measurement(
            `vector and ${kind}, recall@10`,
            both.recall,
            "by score, against a scan of all rows",
          ),
          goal: "at least 0.95",
          met: both.recall >= 0.95,
        },
      );
    }
    return measurements;
  }

  async #trial(
    kind: keyof typeof kinds | null,
    withVector: boolean,
  ): Promise<{ ms: number; recall: number; matching: number }> {
    const [times, matching, recalls]: [number[], number[], number[]] = [[], [], []];
    for (let n = 0; n < queriesCount; n++) {
      const asked = { collection: "films", k, ...this.#query(kind, withVector, n) };
      const startedMs = performance.now();
      const hits = await this.#store.search(asked);
      times.push(performance.now() - startedMs);
      const exact = await this.#store.search({ ...asked, recall: 1 });
      const least = (exact.at(-1)?.score ?? 0) - 1e-3;
      recalls.push(hits.filter(({ score }) => score >= least).length / Math.max(exact.length, 1));
      const { paths } = await this.#store.explainSearch(asked);
      matching.push(paths.find(({ kind: of }) => of === "words")?.depth ?? 0);
    }
    const mean = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
    return { ms: median(times), recall: mean, matching: median(matching) };
  }

  #query(kind: keyof typeof kinds | null, withVector: boolean, n: number) {
    const row = this.#films.rows[Math.floor((n * filmsCount) / queriesCount)];
    const at = this.#films.collection.spaces.findIndex(isTextSpace);
    const { offset = 0, dimensions = 0 } = this.#films.layout[at] ?? {};
    const plot = Float32Array.from(row?.vector.slice(offset, offset + dimensions) ?? []);
    const said = String(row?.fields.plot).match(/[a-z]{6,}/gi) ?? [];
    return {
      ...(withVector ? { parts: { plot } } : {}),
      ...(kind === null ? {} : { texts: { words: kinds[kind](said) } }),
    };
  }
}

function measurement(name: string, value: number, detail: string): Measurement {
  return { name: `full text, ${name}`, value, goal: "reported", met: null, detail };
}
