import { strict as assert } from "node:assert";
import { openPool } from "@medley/store";
import type pg from "pg";
import { OwnDatabase } from "../../own-database.ts";
import { type ManyFilms, manyFilms } from "../many-films.ts";
import { type Measurement, median } from "../measurement.ts";
import { seededRandom } from "../random-rows.ts";
import { openServers } from "../servers.ts";

const filmsCount = 12_593;
const queriesCount = 50;
const k = 10;
const candidateCounts = [40, 200, 800] as const;

/** What an index holds of a vector: itself in half precision, or a bit per dimension, compared in one of two ways. */
const kinds = [
  { kind: "halfvec", operators: "halfvec_ip_ops", distance: "<#>" },
  { kind: "bit, hamming", operators: "bit_hamming_ops", distance: "<~>" },
  { kind: "bit, jaccard", operators: "bit_jaccard_ops", distance: "<%>" },
] as const;

/** The part of the vectors that searches weigh. */
interface Searched {
  readonly name: string;
  readonly offset: number;
  readonly dimensions: number;
}

/** Candidates of an HNSW index over half precision or over bits, scored exactly: bytes, recall and latency beside each other. */
export async function run(): Promise<Measurement[]> {
  await using resources = new AsyncDisposableStack();
  const films = await manyFilms(filmsCount);
  const { databaseUrl } = await openServers();
  const database = resources.use(await OwnDatabase.create(databaseUrl));
  const pool = openPool({ connectionString: database.url, connectionsMax: 1 });
  resources.adopt(pool, (open) => open.end());
  await load(pool, films);
  const all = films.layout.reduce((sum, { dimensions }) => sum + dimensions, 0);
  const plot = films.layout.find(({ space }) => space === "plot");
  assert(plot !== undefined, "films have plots");
  const measurements: Measurement[] = [];
  for (const searched of [
    { name: "all spaces alike", offset: 0, dimensions: all },
    { name: "plot alone", offset: plot.offset, dimensions: plot.dimensions },
  ])
    measurements.push(...(await compare(pool, films, searched)));
  return measurements;
}

async function load(pool: pg.Pool, { rows }: ManyFilms): Promise<void> {
  const dimensions = rows[0]?.vector.length as number;
  await pool.query("create extension vector");
  await pool.query(`create table films (id int, embedding halfvec(${dimensions}) storage main)`);
  for (let from = 0; from < rows.length; from += 200) {
    const part = rows.slice(from, from + 200);
    await pool.query(
      "insert into films select id, embedding::halfvec from unnest($1::int[], $2::text[]) as given(id, embedding)",
      [part.map((_, at) => from + at), part.map(({ vector }) => textOf(vector))],
    );
  }
  await pool.query("vacuum (analyze) films");
  await pool.query("set max_parallel_workers_per_gather = 0");
  await pool.query("set maintenance_work_mem = '512MB'");
}

function textOf(vector: Float16Array): string {
  return `[${vector.join()}]`;
}

/** The expression that an index is over. */
function indexed({ kind }: (typeof kinds)[number], { offset, dimensions }: Searched): string {
  const part = `subvector(embedding, ${offset + 1}, ${dimensions})::halfvec(${dimensions})`;
  return kind === "halfvec" ? part : `binary_quantize(${part})::bit(${dimensions})`;
}

async function compare(pool: pg.Pool, films: ManyFilms, searched: Searched): Promise<Measurement[]> {
  const random = seededRandom(17);
  const ids = Array.from({ length: queriesCount }, () => Math.floor(random() * films.rows.length));
  const { offset, dimensions, name } = searched;
  const queries = ids.map((id) => {
    const { vector } = films.rows[id] as ManyFilms["rows"][number];
    return { id, text: textOf(vector.slice(offset, offset + dimensions)) };
  });
  const score = `(${indexed(kinds[0], searched)} <#> $1::halfvec)`;
  const exactSql = `select id, ${score} as distance from films order by 2 limit ${k + 1}`;
  const exact = await Promise.all(queries.map(({ text }) => pool.query(exactSql, [text])));
  const least = exact.map(({ rows }, at) => others(rows, queries[at]?.id).at(k - 1) as number);
  const measurements: Measurement[] = [];
  for (const one of kinds) {
    const over = indexed(one, searched);
    await pool.query(`create index candidates on films using hnsw ((${over}) ${one.operators})`);
    const { rows } = await pool.query<{ bytes: string }>("select pg_relation_size('candidates') as bytes");
    const bytes = Number(rows[0]?.bytes) / films.rows.length;
    const asked = one.kind === "halfvec" ? "$1::halfvec" : `binary_quantize($1::halfvec)::bit(${dimensions})`;
    const found: string[] = [];
    let best = 0;
    for (const candidates of candidateCounts) {
      await pool.query(`set hnsw.ef_search = ${candidates}`);
      const sql =
        `select id, ${score} as distance from (select id, embedding from films order by ${over} ${one.distance} ${asked} ` +
        `limit ${candidates}) as candidate order by 2 limit ${k + 1}`;
      const ms: number[] = [];
      let hits = 0;
      for (const [at, { id, text }] of queries.entries()) {
        const startedMs = performance.now();
        const result = await pool.query(sql, [text]);
        ms.push(performance.now() - startedMs);
        const limit = (least[at] as number) + 1e-5;
        hits += others(result.rows, id).filter((distance) => distance <= limit).length;
      }
      best = Math.min(1, hits / (k * queries.length));
      found.push(`${candidates} candidates ${best.toFixed(3)} in ${median(ms).toFixed(1)} ms`);
    }
    await pool.query("drop index candidates");
    measurements.push({
      name: `candidates of an index of ${one.kind}, ${name}: recall@10`,
      value: best,
      goal: "reported",
      met: true,
      detail:
        `${bytes.toFixed(0)} bytes a row in the index; ${found.join(", ")} (medians of a query and its way, on a machine with other work); ${filmsCount} films, ` +
        `${dimensions} dimensions, PostgreSQL with pgvector, HNSW as by default, ${queriesCount} films as queries, candidates scored exactly by halfvec`,
    });
  }
  return measurements;
}

/** Distances of the ten best rows but the one that was asked for. */
function others(rows: readonly { id: number; distance: number }[], asked: number | undefined): number[] {
  return rows
    .filter(({ id }) => id !== asked)
    .slice(0, k)
    .map(({ distance }) => distance);
}
