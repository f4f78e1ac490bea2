import { strict as assert } from "node:assert";
import { once } from "node:events";
import type { VectorEnvelope } from "@medley/core";
import type pg from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { OwnDatabase } from "../../own-database.ts";
import { duel, secondsOf } from "../duel.ts";
import type { Measurement } from "../measurement.ts";
import { openRowStore, type RowStore, randomRow, seededRandom } from "../random-rows.ts";
import { openServers } from "../servers.ts";

const rowsPerRound = 20_000;
const rowsPerBatch = 1_000;
const slowRowsPerRound = 4_000;
const rounds = 5;
const copyRatioMin = 0.55;
const valuesRatioMin = 10;
/** Of rows per statement: the rival's best counts. */
const valuesBatches = [10, 100, 1_000] as const;

/**
 * New rows of 384 dimensions in the table of a collection, by `writeRows`: against COPY in binary into a table of the same
 * columns and key, which can neither guard nor report; and against rows of VALUES as text, as most clients write.
 */
export async function run(): Promise<Measurement[]> {
  const { databaseUrl } = await openServers();
  await using database = await OwnDatabase.create(databaseUrl);
  await using rows = await openRowStore({ plot: 384 }, database.url);
  await rows.pool.query("create table copied (like medley_internal.films_g1 including all)");
  return [await againstCopy(rows), await againstValues(rows)];
}

async function againstCopy(rows: RowStore): Promise<Measurement> {
  const made = makeRows(rows, rowsPerRound);
  const fight = await duel(
    rounds,
    () => timed(rows.pool, () => upsert(rows, made), made.length),
    () => timed(rows.pool, () => copy(rows.pool, made), made.length, "copied"),
  );
  const perSecond = (seconds: number) => Math.round(made.length / seconds);
  return {
    name: "guarded upsert / raw COPY BINARY",
    value: fight.ratio,
    goal: `at least ${copyRatioMin}`,
    met: fight.ratio >= copyRatioMin,
    detail:
      `${rowsPerRound} new rows of 384 dimensions, server with fsync, one connection, ${rowsPerBatch} rows per statement: ours ` +
      `${perSecond(fight.oursSeconds)}, COPY of all in one transaction ${perSecond(fight.theirsSeconds)} rows/s; ratio ` +
      `${fight.ratioMin.toFixed(2)} to ${fight.ratioMax.toFixed(2)} over ${rounds} rounds`,
  };
}

async function againstValues(rows: RowStore): Promise<Measurement> {
  const made = makeRows(rows, slowRowsPerRound);
  const trials: { batch: number; ratio: number; oursSeconds: number; theirsSeconds: number }[] = [];
  for (const batch of valuesBatches) {
    const fight = await duel(
      3,
      () => timed(rows.pool, () => upsert(rows, made), made.length),
      () => timed(rows.pool, () => insertValues(rows.pool, made, batch), made.length),
    );
    trials.push({ batch, ...fight });
  }
  const best = trials.reduce((a, b) => (b.theirsSeconds < a.theirsSeconds ? b : a));
  const perSecond = (seconds: number) => Math.round(made.length / seconds);
  return {
    name: "guarded upsert / best multi-row VALUES",
    value: best.ratio,
    goal: `at least ${valuesRatioMin}`,
    met: best.ratio >= valuesRatioMin,
    detail:
      `${slowRowsPerRound} new rows, same server and guard: ours ${perSecond(best.oursSeconds)}; rows of VALUES with vectors as text, ` +
      `${trials.map(({ batch, theirsSeconds }) => `${batch} per statement ${perSecond(theirsSeconds)}`).join(", ")} rows/s`,
  };
}

function makeRows({ layout }: RowStore, count: number): VectorEnvelope[] {
  const random = seededRandom(count);
  return Array.from({ length: count }, (_, n) => randomRow(n, layout, random));
}

/** Into an empty table, from a checkpoint; the rows are counted after timing. */
async function timed(
  pool: pg.Pool,
  work: () => Promise<void>,
  expected: number,
  table = "medley_internal.films_g1",
): Promise<number> {
  await pool.query(`truncate ${table}`);
  await pool.query("checkpoint");
  const seconds = await secondsOf(work);
  const { rows } = await pool.query(
    `select count(*)::int as count from ${table} where embedding is not null`,
  );
  assert.equal(rows[0].count, expected);
  return seconds;
}

async function upsert({ store }: RowStore, made: readonly VectorEnvelope[]): Promise<void> {
  for (let at = 0; at < made.length; at += rowsPerBatch) {
    const outcomes = await store.writeRows("films", made.slice(at, at + rowsPerBatch), null);
    assert(outcomes.every((outcome) => outcome === "indexed"));
  }
}

/** Postgres' binary COPY format: a header, per row the number of columns and each with its length, a trailer. */
async function copy(pool: pg.Pool, made: readonly VectorEnvelope[]): Promise<void> {
  const client = await pool.connect();
  try {
    const stream = client.query(
      copyFrom(
        "copy copied (id, version, indexed_at, segment_hashes, embedding, title, year, genres) from stdin (format binary)",
      ),
    );
    const ended = once(stream, "finish");
    stream.write(Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]));
    for (let at = 0; at < made.length; at += rowsPerBatch) {
      const chunk = Buffer.concat(made.slice(at, at + rowsPerBatch).flatMap(copyRow));
      if (!stream.write(chunk)) await once(stream, "drain");
    }
    stream.end(Buffer.from([0xff, 0xff]));
    await ended;
  } finally {
    client.release();
  }
}

function copyRow({ id, version, fields, vector, segmentHashes }: VectorEnvelope): Buffer[] {
  const embedding = Buffer.alloc(4 + 2 * vector.length);
  embedding.writeInt16BE(vector.length);
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).copy(embedding, 4);
  embedding.subarray(4).swap16();
  const [versionBytes, timeBytes, yearBytes] = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)];
  versionBytes.writeBigInt64BE(version);
  yearBytes.writeDoubleBE(fields.year as number);
  const genres = (fields.genres as string[]).map((genre) => Buffer.from(genre));
  const head = Buffer.alloc(20);
  head.writeInt32BE(1, 0);
  head.writeInt32BE(25, 8);
  head.writeInt32BE(genres.length, 12);
  head.writeInt32BE(1, 16);
  const list = Buffer.concat([head, ...genres.flatMap((genre) => [int32(genre.length), genre])]);
  const columns = [
    Buffer.from(id),
    versionBytes,
    timeBytes,
    Buffer.from(segmentHashes),
    embedding,
    Buffer.from(fields.title as string),
    yearBytes,
    list,
  ];
  const count = Buffer.alloc(2);
  count.writeInt16BE(columns.length);
  return [count, ...columns.flatMap((column) => [int32(column.length), column])];
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

async function insertValues(pool: pg.Pool, made: readonly VectorEnvelope[], batch: number): Promise<void> {
  for (let at = 0; at < made.length; at += batch) {
    const part = made.slice(at, at + batch);
    const places = part.map((_, n) => {
      const [a, b, c, d, e, f, g] = [1, 2, 3, 4, 5, 6, 7].map((place) => `$${n * 7 + place}`);
      return `(${a}, ${b}, now(), ${c}, ${d}, ${e}, ${f}, ${g})`;
    });
    await pool.query(
      `insert into medley_internal.films_g1 as row (id, version, indexed_at, segment_hashes, embedding, title, year, genres)
values ${places.join(", ")} on conflict (id) do update set version = excluded.version, embedding = excluded.embedding
where excluded.version > row.version`,
      part.flatMap(({ id, version, fields, vector, segmentHashes }) => [
        id,
        String(version),
        Buffer.from(segmentHashes),
        `[${Array.from(vector).join(",")}]`,
        fields.title,
        fields.year,
        fields.genres,
      ]),
    );
  }
}
