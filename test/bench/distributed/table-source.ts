import { strict as assert } from "node:assert";
import { type Collection, checkConfig, type TableSource } from "@medley/core";
import {
  connect,
  installOutbox,
  listInstalled,
  openRelay,
  openTable,
  planOf,
  uninstallOutbox,
} from "@medley/sources";
import type pg from "pg";
import { OwnDatabase } from "../../own-database.ts";
import { secondsOf } from "../duel.ts";
import { type Measurement, median } from "../measurement.ts";
import { openServers } from "../servers.ts";

const rounds = 5;
const singleRows = 500;
const bulkRows = 50_000;
const singleRatioMax = 1.3;
const bulkMicrosecondsMax = 15;
const relayedPerSecondMin = 5_000;
const readPerSecondMin = 20_000;

const [collection] = checkConfig({
  collections: {
    goods: {
      fields: { title: "text", kind: "category", price: "number" },
      spaces: { price: { encoder: "number", field: "price", range: [0, 100] } },
      sources: [{ kind: "postgres", table: "goods" }],
    },
  },
}) as [Collection];
const source = collection.sources[0] as TableSource;

/** What triggers cost those who write the table, and how fast its rows and changes are read; nothing is embedded. */
export async function run(): Promise<Measurement[]> {
  const { databaseUrl } = await openServers();
  await using database = await OwnDatabase.create(databaseUrl);
  await using resources = new AsyncDisposableStack();
  const options = { connectionString: database.url, embedded: false };
  const client = resources.adopt(await connect(options), (open) => open.end());
  await client.query(
    "create table goods (id bigint primary key, title text, kind text, price float8, stock int)",
  );
  const single: Record<string, number[]> = { with: [], without: [] };
  const bulk: Record<string, number[]> = { with: [], without: [] };
  const unmapped: Record<string, number[]> = { with: [], without: [] };
  // In turn, so that what else the machine does meets both.
  for (let round = 0; round <= rounds; round += 1) {
    for (const triggers of ["without", "with"] as const) {
      await setTriggers(client, triggers === "with");
      await client.query("truncate goods");
      const seconds = [await insertSingly(client), await insertAtOnce(client), await updateUnmapped(client)];
      if (round === 0) continue;
      for (const [index, times] of [single, bulk, unmapped].entries())
        times[triggers]?.push(seconds[index] as number);
    }
  }
  const perRow = (times: number[] = [], rows: number) => (median(times) / rows) * 1e6;
  const [one, oneWith] = [perRow(single.without, singleRows), perRow(single.with, singleRows)];
  const [many, manyWith] = [perRow(bulk.without, bulkRows), perRow(bulk.with, bulkRows)];
  const [other, otherWith] = [perRow(unmapped.without, bulkRows), perRow(unmapped.with, bulkRows)];
  const relayed = await relayRate(client, options);
  const read = await readRate(options);
  return [
    {
      name: "insert of a row and commit, with triggers ÷ without",
      value: oneWith / one,
      goal: `at most ${singleRatioMax}`,
      met: oneWith / one <= singleRatioMax,
      detail: `${one.toFixed(0)} µs without, ${oneWith.toFixed(0)} µs with; medians of ${rounds} rounds in turn`,
    },
    {
      name: "many rows inserted by one statement, added by triggers, µs/row",
      value: manyWith - many,
      goal: `at most ${bulkMicrosecondsMax}`,
      met: manyWith - many <= bulkMicrosecondsMax,
      detail: `${many.toFixed(1)} µs without, ${manyWith.toFixed(1)} µs with; an update of a column that is no field: ${other.toFixed(1)} and ${otherWith.toFixed(1)} µs`,
    },
    {
      name: "changes of a table relayed, rows/s",
      value: Math.round(relayed),
      goal: `at least ${relayedPerSecondMin}`,
      met: relayed >= relayedPerSecondMin,
      detail: `one relay, ${bulkRows} changed rows of one transaction, to a lane that takes them at once`,
    },
    {
      name: "rows of a table read for a backfill, rows/s",
      value: Math.round(read),
      goal: `at least ${readPerSecondMin}`,
      met: read >= readPerSecondMin,
      detail: `pages of 1,000 by key, ${bulkRows} rows of three fields`,
    },
  ];
}

async function setTriggers(client: pg.Client, wanted: boolean): Promise<void> {
  for (const { sourceId } of await listInstalled(client, "bench")) await uninstallOutbox(client, sourceId);
  if (wanted) await installOutbox(client, await planOf(client, { collection, source }), "bench");
}

const valuesSql =
  "select n, 'a title of some length ' || n, 'kind', n % 100, 0 from generate_series($1::int, $2::int) as n";

function insertSingly(client: pg.Client): Promise<number> {
  return secondsOf(async () => {
    for (let n = 1; n <= singleRows; n += 1) await client.query(`insert into goods ${valuesSql}`, [n, n]);
  });
}

function insertAtOnce(client: pg.Client): Promise<number> {
  return secondsOf(() =>
    client.query(`insert into goods ${valuesSql}`, [singleRows + 1, singleRows + bulkRows]),
  );
}

function updateUnmapped(client: pg.Client): Promise<number> {
  return secondsOf(() => client.query("update goods set stock = stock + 1 where id > $1", [singleRows]));
}

async function relayRate(
  client: pg.Client,
  options: { connectionString: string; embedded: boolean },
): Promise<number> {
  await client.query("truncate goods; delete from medley_outbox.change");
  await insertAtOnce(client);
  const all = Promise.withResolvers<void>();
  let records = 0;
  let relay: Awaited<ReturnType<typeof openRelay>> | null = null;
  const seconds = await secondsOf(async () => {
    relay = await openRelay({
      ...options,
      collection,
      source,
      deployment: "bench",
      deliver: async (batch) => {
        records += batch.records.length;
        if (records === bulkRows) all.resolve();
      },
      onFault: all.reject,
    });
    await all.promise;
  });
  await (relay as Awaited<ReturnType<typeof openRelay>> | null)?.close({ graceMs: 5_000 });
  const { rows } = await client.query("select count(*)::int as left from medley_outbox.change");
  assert.equal(rows[0].left, 0);
  return bulkRows / seconds;
}

async function readRate(options: { connectionString: string; embedded: boolean }): Promise<number> {
  await using table = await openTable({ ...options, collection, source });
  let rows = 0;
  const seconds = await secondsOf(async () => {
    for await (const _ of table.records()) rows += 1;
  });
  assert.equal(rows, bulkRows);
  return rows / seconds;
}
