/** The relay against a Postgres: who wins when transactions, backfills and relays overlap, each order made on purpose. */
import { MedleyError } from "@medley/core";
import type pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nextVersion, snapshotVersion } from "./outbox.ts";
import { productsOf, ShopDatabase, until } from "./shop.fixture.ts";
import type { ChangeBatch } from "./table-relay.ts";
import { openTable } from "./table-source.ts";

const collection = productsOf();

describe.skipIf(process.env.DATABASE_URL === undefined)("table relay (needs DATABASE_URL)", () => {
  let shop: ShopDatabase;
  let admin: pg.Client;

  beforeEach(async () => {
    shop = await ShopDatabase.create();
    admin = await shop.client();
    await admin.query(
      "create table products (id bigint primary key, title text, kind text, price numeric, stock int)",
    );
  });
  afterEach(() => shop[Symbol.asyncDispose]());

  const waiting = async () =>
    Number((await admin.query("select count(*) from medley_outbox.change")).rows[0].count);
  const row = (id: number, price: number) => ({ id: String(id), title: "a", kind: "b", price });
  const insert = (id: number, price: number) => `insert into products values (${id}, 'a', 'b', ${price}, 0)`;
  /** What a store that keeps the highest version of each id would hold in the end. */
  const kept = (batches: readonly ChangeBatch[]) => {
    const rows = new Map<string, { version: bigint; record: object }>();
    for (const { version, records } of batches) {
      for (const record of records) {
        const known = rows.get(record.id as string);
        if (known === undefined || version > known.version)
          rows.set(record.id as string, { version, record });
      }
    }
    return [...rows.values()].map(({ record }) => record);
  };

  test("a change that a backfill did not see has a higher version, though it was made before the backfill's", async () => {
    await admin.query(insert(1, 1));
    await shop.install(admin, collection);
    const writer = await shop.client();
    // The trigger has run, and nobody sees it yet.
    await writer.query("begin; update products set price = 2 where id = 1");
    const [source] = collection.sources;
    await using table = await openTable({ ...shop.options, collection, source: source as never });
    const version = await table.snapshotVersion();
    const read = await Array.fromAsync(table.records());
    expect(read).toMatchObject([{ ok: true, value: row(1, 1), position: '["1"]' }]);
    const { batches } = await shop.relay(collection);
    await writer.query("commit");
    await until(async () => (await waiting()) === 0);
    expect(batches).toMatchObject([{ records: [row(1, 2)] }]);
    expect(batches[0]?.version).toBeGreaterThan(version);
  });

  test("a relay that is slow to send an older state has the lower version; what it holds the others pass over", async () => {
    await shop.install(admin, collection);
    await admin.query(insert(1, 1));
    const held = Promise.withResolvers<void>();
    const slow = await shop.relay(collection, () => held.promise);
    await until(async () => {
      const free = "select count(*) from (select from medley_outbox.change for update skip locked) as free";
      return Number((await admin.query(free)).rows[0].count) === 0;
    });
    const quick = await shop.relay(collection);
    await admin.query("update products set price = 2 where id = 1");
    await until(() => quick.batches.length > 0);
    expect(quick.batches).toMatchObject([{ records: [row(1, 2)] }]);
    await until(async () => (await waiting()) === 1);
    expect(slow.batches).toEqual([]);
    held.resolve();
    await until(async () => (await waiting()) === 0);
    await until(() => slow.batches.length > 0);
    expect(slow.batches).toMatchObject([{ records: [row(1, 1)] }]);
    expect(kept([...quick.batches, ...slow.batches])).toEqual([row(1, 2)]);
  });

  test("what is sent with a version was read after it was given, also where another one was given meanwhile", async () => {
    await shop.install(admin, collection);
    await admin.query(insert(1, 1));
    const other = await shop.client();
    await other.query("begin");
    const between = await nextVersion(other);
    // This relay has its change in hand and waits for a version.
    const { batches } = await shop.relay(collection);
    await until(async () => {
      const blocked =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return Number((await admin.query(blocked)).rows[0].count) > 0;
    });
    await admin.query("update products set price = 2 where id = 1");
    await other.query("commit");
    await until(() => batches.length > 0);
    expect(batches[0]?.version).toBeGreaterThan(between);
    expect(batches[0]?.records).toEqual([row(1, 2)]);
  });

  test("versions grow over connections, whatever the isolation, and outlast what is rolled back", async () => {
    await shop.install(admin, collection);
    const clients = await Promise.all(Array.from({ length: 4 }, () => shop.client()));
    const given = await Promise.all(
      clients.map(async (client) => {
        const own: bigint[] = [];
        for (let n = 0; n < 10; n += 1) own.push(await nextVersion(client));
        expect(own).toEqual(own.toSorted((a, b) => (a < b ? -1 : 1)));
        return own;
      }),
    );
    expect(new Set(given.flat()).size).toBe(40);
    const last = given.flat().sort().at(-1) as bigint;
    await admin.query("update medley_outbox.clock set last = last + (3600000::bigint << 20)");
    // The server's time lies an hour behind: the clock goes on from where it was.
    expect(await snapshotVersion(admin)).toBeGreaterThan(last + (3_600_000n << 20n));
  });

  test("several changes of a row are one record, a change of the key is two, no row is a delete", async () => {
    await shop.install(admin, collection);
    await admin.query(`begin; ${insert(1, 1)}; ${insert(2, 2)}; ${insert(3, 3)};
update products set price = 5 where id = 1; update products set price = 6 where id = 1;
update products set id = 20 where id = 2; delete from products where id = 3; commit`);
    const { batches } = await shop.relay(collection);
    await until(async () => (await waiting()) === 0);
    expect(batches).toHaveLength(1);
    expect(batches[0]?.records).toEqual([
      row(1, 6),
      { id: "2", _op: "delete" },
      { id: "3", _op: "delete" },
      row(20, 2),
    ]);
  });

  test("what is rolled back, or changes no column of the record, writes nothing", async () => {
    await shop.install(admin, collection);
    await admin.query(insert(1, 1));
    const { batches } = await shop.relay(collection);
    await until(async () => (await waiting()) === 0);
    await admin.query("begin; update products set price = 9; rollback");
    await admin.query("update products set stock = stock + 1");
    await admin.query("update products set title = title, price = price");
    expect(await waiting()).toBe(0);
    expect(batches).toHaveLength(1);
  });

  test("a refused batch stays, is asked for again, and holds no lock meanwhile", async () => {
    await shop.install(admin, collection);
    await admin.query(insert(1, 1));
    let refusals = 0;
    const { batches, faults } = await shop.relay(collection, async () => {
      refusals += 1;
      if (refusals === 1) throw new MedleyError("overloaded", "full");
      if (refusals === 2) throw new MedleyError("transport_unavailable", "gone");
    });
    await until(() => batches.length > 0);
    await until(async () => (await waiting()) === 0);
    expect([refusals, batches.length, faults.map(({ message }) => message)]).toEqual([3, 1, ["gone"]]);
  });

  test("a relay whose connections are cut comes back by itself", async () => {
    await shop.install(admin, collection);
    const { batches, faults } = await shop.relay(collection);
    await admin.query(insert(1, 1));
    await until(() => batches.length === 1);
    await until(async () => (await waiting()) === 0);
    await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    await admin.query(insert(2, 2));
    await until(() => batches.length === 2);
    expect(batches[1]?.records).toEqual([row(2, 2)]);
    expect(faults.length).toBeGreaterThan(0);
  });

  test("a row with a value that can't be computed is told alone, and the others go on", async () => {
    const dated = productsOf(
      { map: { made: { column: "made", zone: "Asia/Tokyo" } } },
      { fields: { made: "timestamp" } },
    );
    await admin.query("alter table products add column made timestamp");
    await shop.install(admin, dated);
    await admin.query(`begin; ${[1, 2, 3, 4, 5].map((id) => `insert into products values (${id}, 'a', 'b', 1, 0, '2024-07-01 12:00')`).join(";")};
update products set made = '4714-11-24 00:00:00 BC' where id = 4; commit`);
    const { batches } = await shop.relay(dated);
    await until(async () => (await waiting()) === 0);
    const noon = Date.UTC(2024, 6, 1, 3);
    expect(kept(batches)).toEqual([1, 2, 3, 5].map((id) => ({ ...row(id, 1), made: noon })));
    expect(batches.flatMap(({ unreadable }) => unreadable)).toEqual([
      { id: "4", reason: expect.stringContaining("22008") },
    ]);
  });
});
