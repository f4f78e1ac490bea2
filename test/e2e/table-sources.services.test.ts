/** A table as a source, end to end: services as processes, a shop's database that is written meanwhile. */
import { Random } from "@medley/core";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServiceName, ServiceProcess } from "../service-process.ts";
import { until } from "./medley.fixture.ts";
import { Shop } from "./shop.fixture.ts";

const tried = new Set(["40P01", "23505"]);

/** Transactions of one to three random statements, a fifth of them rolled back, some left open for a while. */
async function writeRandomly(client: pg.PoolClient, { seed, count }: { seed: number; count: number }) {
  const random = new Random(seed);
  const statement = (): string => {
    const id = 1 + random.below(1_400);
    const statements = [
      `insert into products (id, title, kind, price, taste) values (${id}, 'new ${id}', 'hat', ${random.below(100)}, array[1, 2, ${random.below(9)}]) on conflict do nothing`,
      `insert into products (id, title, price) values (${id}, 'put', ${random.below(100)}) on conflict (id) do update set price = excluded.price, title = 'merged'`,
      `update products set price = ${random.below(100)} where id = ${id}`,
      `update products set kind = 'bag', title = 'changed ${random.below(1_000)}' where id between ${id} and ${id + random.below(5)}`,
      `update products set stock = stock + 1 where id between ${id} and ${id + 20}`,
      `update products set id = ${2_000 + random.below(1_000)} where id = ${id}`,
      `delete from products where id = ${id}`,
      `update products set taste = null where id = ${id}`,
    ];
    return statements[random.below(statements.length)] as string;
  };
  for (let done = 0; done < count; done += 1) {
    const statements = Array.from({ length: 1 + random.below(3) }, statement);
    try {
      await client.query("begin");
      for (const sql of statements) {
        await client.query(sql);
        if (random.below(4) === 0) await new Promise((resume) => setTimeout(resume, random.below(30)));
      }
      await client.query(random.below(5) === 0 ? "rollback" : "commit");
    } catch (error) {
      await client.query("rollback");
      if (!tried.has((error as pg.DatabaseError).code ?? "")) throw error;
    }
  }
}

describe.skipIf(process.env.DATABASE_URL === undefined)("a table as a source (needs DATABASE_URL)", () => {
  let shop: Shop;
  let producers: ServiceProcess[];

  beforeAll(async () => {
    shop = await Shop.open({ rows: 1_200 });
    const names: ServiceName[] = ["producer", "producer", "embedding-worker", "indexer"];
    producers = (await Promise.all(names.map((name) => shop.start(name)))).slice(0, 2);
  });
  afterAll(() => shop?.[Symbol.asyncDispose]());

  const same = async () => {
    await shop.settled();
    const [source, indexed] = [await shop.sourceRows(), await shop.indexedRows()];
    expect(indexed).toEqual(source);
    return source.length;
  };

  test("a backfill, two relays and four writers at once: in the end the rows are the table's", async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => shop.shop.connect()));
    const writing = clients.map((client, n) =>
      writeRandomly(client, { seed: n + 1, count: 150 }).finally(() => client.release()),
    );
    const first = await shop.run(["backfill", "postgres:public.products"]);
    // Another one over rows that are being relayed: its versions are between theirs.
    const second = await shop.run(["backfill", "postgres:products"]);
    await Promise.all(writing);
    expect(await same()).toBeGreaterThan(500);
    expect(await shop.written()).toBeGreaterThan(300);
    expect([first.data.state, second.data.state]).toEqual(["done", "done"]);
  });

  test("what changes no column of the record is not even told", async () => {
    await same();
    const before = await shop.written();
    const indexedAt = "select max(indexed_at) as at, sum(version) as versions from medley.products";
    const [known] = (await shop.medley.query(indexedAt)).rows;
    await shop.shop.query("update products set stock = stock + 1");
    expect([await shop.written(), (await shop.medley.query(indexedAt)).rows[0]]).toEqual([before, known]);
  });

  test("a producer killed while it relays loses nothing: another one goes on", async () => {
    await same();
    const [doomed, other] = producers as [ServiceProcess, ServiceProcess];
    await other.end("SIGTERM");
    expect(other.log).toContain("draining");
    await shop.insert({ from: 10_001, to: 14_000 });
    await until(
      () => shop.waiting(),
      (left) => left < 4_000 && left > 0,
    );
    await doomed.end("SIGKILL");
    const left = await shop.waiting();
    expect(left).toBeGreaterThan(0);
    await shop.shop.query("delete from products where id between 10001 and 10500");
    producers = [await shop.start("producer")];
    expect(await same()).toBeGreaterThan(3_500);
  });

  test("one large transaction, keys that change, and truncate", async () => {
    await shop.shop.query(
      "begin; update products set price = 7; update products set id = id + 100000; commit",
    );
    expect(await same()).toBeGreaterThan(3_500);
    const moved = await shop.medley.query(
      "select count(*)::int as old from medley.products where id::bigint < 100000",
    );
    expect(moved.rows[0].old).toBe(0);
    await shop.shop.query("begin; truncate products; insert into products (id, price) values (1, 5); commit");
    expect(await same()).toBe(1);
    await shop.shop.query("begin; truncate products; rollback");
    expect(await same()).toBe(1);
    await shop.shop.query("truncate products");
    expect(await same()).toBe(0);
  });

  test("without its triggers a producer does not start, and says what to run", async () => {
    const { data } = await shop.run(["sources", "uninstall", "--all"]);
    expect(data.uninstalled).toEqual([expect.stringMatching(/^medley-\w+\.products\.public\.products$/)]);
    await expect(shop.start("producer")).rejects.toThrow("medley sources install");
    expect((await shop.workplace.runJson(["sources", "status"], shop)).data.sources).toMatchObject([
      { state: "missing" },
    ]);
    await shop.run(["sources", "install"]);
    await shop.start("producer");
    await shop.insert({ from: 1, to: 10 });
    expect(await same()).toBe(10);
  });
});
