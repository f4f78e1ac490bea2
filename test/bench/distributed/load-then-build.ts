import { strict as assert } from "node:assert";
import type { VectorEnvelope } from "@medley/core";
import { buildIndex } from "@medley/store";
import { OwnDatabase } from "../../own-database.ts";
import { duel, secondsOf } from "../duel.ts";
import type { Measurement } from "../measurement.ts";
import { openRowStore, type RowStore, randomRow, seededRandom } from "../random-rows.ts";
import { openServers } from "../servers.ts";

const rowsPerRound = 8_000;
const rowsPerBatch = 100;
const rounds = 2;
const ratioMin = 3.5;

/** The same rows written before the index is built, and into an index that lives from the first row. */
export async function run(): Promise<Measurement[]> {
  const { databaseUrl } = await openServers();
  await using database = await OwnDatabase.create(databaseUrl);
  await using rows = await openRowStore({ plot: 384 }, database.url);
  const random = seededRandom(1);
  const made = Array.from({ length: rowsPerRound }, (_, n) => randomRow(n, rows.layout, random));
  const fight = await duel(
    rounds,
    async () => {
      await empty(rows);
      return secondsOf(async () => {
        await write(rows, made);
        await buildIndex(database.url, "films");
      });
    },
    async () => {
      await empty(rows);
      await buildIndex(database.url, "films");
      return secondsOf(() => write(rows, made));
    },
  );
  const perSecond = (seconds: number) => Math.round(made.length / seconds);
  return [
    {
      name: "load, then build / insert into a live index",
      value: fight.ratio,
      goal: `at least ${ratioMin}`,
      met: fight.ratio >= ratioMin,
      detail:
        `${rowsPerRound} rows of 384 dimensions (half precision, random: the hardest for HNSW), one connection, server with fsync: ` +
        `${perSecond(fight.oursSeconds)} against ${perSecond(fight.theirsSeconds)} rows/s; ratio ${fight.ratioMin.toFixed(2)} to ` +
        `${fight.ratioMax.toFixed(2)} over ${rounds} rounds`,
    },
  ];
}

async function empty({ pool }: RowStore): Promise<void> {
  await pool.query("drop index if exists medley_internal.films_g1_hnsw");
  await pool.query("truncate medley_internal.films_g1");
  await pool.query("checkpoint");
}

async function write({ store, pool }: RowStore, made: readonly VectorEnvelope[]): Promise<void> {
  for (let at = 0; at < made.length; at += rowsPerBatch) {
    await store.writeRows("films", made.slice(at, at + rowsPerBatch), null);
  }
  const { rows } = await pool.query("select count(*)::int as count from medley.films");
  assert.equal(rows[0].count, made.length);
}
