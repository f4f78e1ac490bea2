/** Tables and views as a backfill reads them: types, keys, pages, ranges. */
import { parseRecord, type TableSource, version } from "@medley/core";
import type pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SourceRange } from "../source.ts";
import { readPage } from "./row-reader.ts";
import { productsOf, ShopDatabase } from "./shop.fixture.ts";
import { openTable, planOf } from "./table-source.ts";

describe.skipIf(process.env.DATABASE_URL === undefined)("table source (needs DATABASE_URL)", () => {
  let shop: ShopDatabase;
  let admin: pg.Client;

  beforeEach(async () => {
    shop = await ShopDatabase.create();
    admin = await shop.client();
  });
  afterEach(() => shop[Symbol.asyncDispose]());

  const sourceOf = (collection: ReturnType<typeof productsOf>) => collection.sources[0] as TableSource;
  async function recordsOf(collection: ReturnType<typeof productsOf>, range: SourceRange = {}) {
    await using table = await openTable({ ...shop.options, collection, source: sourceOf(collection) });
    const items = await Array.fromAsync(table.records(range));
    return items.map((item) => (item.ok ? item.value : item.reason));
  }
  const idsOf = async (...given: Parameters<typeof recordsOf>) =>
    (await recordsOf(...given)).map((record) => (record as { id: string }).id);

  test("every column type of docs/SOURCES.md becomes a value that its field takes, whatever the session's settings", async () => {
    await admin.query("create extension vector; create type size as enum ('s', 'm')");
    await admin.query(`create domain positive as numeric check (value > 0);
create table products (id uuid primary key, title varchar(20), sizes size[], kind size, is_new bool, price positive, weight real,
  stock bigint, made timestamptz, day date, local timestamp, spot point, lat float8, lon numeric, taste vector(3), smell real[], tags jsonb,
  shares json, photo bytea, clip text)`);
    await admin.query(`alter database ${(await admin.query("select current_database() as name")).rows[0].name}
  set datestyle = 'German'`);
    const id = "7b0e6a6e-3f0c-4b1a-9f5e-0d3a1c2b4d5e";
    await admin.query(`insert into products values ('${id}', 'a', '{s,m}', 'm', true, 12.50, 0.1, 9007199254740993, '2024-07-01 12:00:00.123+02',
  '1999-03-31', '2024-01-01 00:00', '(4.9,52.4)', 52.4, 4.9, '[1,2,3]', '{0.5,1}', '["x","y"]', '{"a": 0.5}', '\\x00ff10', 'clips/1.wav')`);
    await admin.query(`insert into products (id) values ('ffffffff-0000-0000-0000-000000000000')`);
    const fields = {
      sizes: "categories",
      is_new: "category",
      weight: "number",
      stock: "number",
      made: "timestamp",
      day: "timestamp",
      local: "timestamp",
      spot: "geo",
      place: "geo",
      taste: "vector(3)",
      smell: "vector(2)",
      tags: "categories",
      shares: "shares",
      photo: "image",
      clip: "audio",
      raw: "text",
    };
    const map = {
      local: { column: "local", zone: "America/New_York" },
      place: { lat: "lat", lon: "lon" },
      raw: "tags",
    };
    const collection = productsOf({ map }, { fields });
    const [record, empty] = await recordsOf(collection);
    expect(record).toEqual({
      id,
      title: "a",
      kind: "m",
      price: 12.5,
      sizes: ["s", "m"],
      is_new: "true",
      weight: 0.1,
      stock: 9_007_199_254_740_992,
      made: Date.parse("2024-07-01T10:00:00.123Z"),
      day: Date.parse("1999-03-31"),
      local: Date.parse("2024-01-01T05:00:00Z"),
      spot: { lat: 52.4, lon: 4.9 },
      place: { lat: 52.4, lon: 4.9 },
      taste: [1, 2, 3],
      smell: [0.5, 1],
      tags: ["x", "y"],
      shares: { a: 0.5 },
      photo: { base64: "AP8Q" },
      clip: "clips/1.wav",
      raw: '["x", "y"]',
    });
    const options = { source: "t", textual: false, arrivalVersion: version(1n) };
    for (const input of [record, empty])
      expect(parseRecord(collection, input, options)).toMatchObject({ ok: true });
    expect(Object.values(empty as object).filter((value) => value !== null)).toEqual([
      "ffffffff-0000-0000-0000-000000000000",
    ]);
  });

  test("edges and series come from arrays and json, ids of any size exact", async () => {
    await admin.query(`create table products (id int primary key, title text, kind text, price numeric, follows bigint[],
  likes jsonb, hourly float8[], daily jsonb)`);
    await admin.query(`insert into products values (1, 'a', 'b', 1, '{9007199254740993,2}', '{"a": 2}', '{{1,null},{2,3}}',
  '{"times": ["1999-03-31"], "values": [1]}')`);
    const fields = { follows: "edges", likes: "edges", hourly: "series", daily: "series" };
    const collection = productsOf({}, { fields });
    const [record] = await recordsOf(collection);
    const options = { source: "t", textual: false, arrivalVersion: version(1n) };
    expect(parseRecord(collection, record, options)).toMatchObject({
      value: {
        fields: {
          follows: { "9007199254740993": 1, "2": 1 },
          likes: { a: 2 },
          hourly: {
            times: null,
            values: [
              [1, null],
              [2, 3],
            ],
          },
          daily: { times: [Date.UTC(1999, 2, 31)], values: [[1]] },
        },
      },
    });
  });

  test("values that no field takes fail with their record, not before", async () => {
    await admin.query(
      "create table products (id int primary key, title text, kind text, price numeric, made timestamptz)",
    );
    await admin.query(
      "insert into products values (1, 'a', 'b', 'NaN', 'infinity'), (2, 'a', 'b', 1, '2024-01-01')",
    );
    const collection = productsOf({}, { fields: { made: "timestamp" } });
    const parsed = (await recordsOf(collection)).map((input) =>
      parseRecord(collection, input, { source: "t", textual: false, arrivalVersion: version(1n) }),
    );
    expect(parsed.map(({ ok }) => ok)).toEqual([false, true]);
  });

  test("several key columns: in the index's order, joined to ids that can't collide, resumed by range", async () => {
    await admin.query(
      "create table products (shop text, no int, title text, kind text, price float8, primary key (shop, no))",
    );
    await admin.query("insert into products values ('b', 1), ('a:1', 2), ('a', 10), ('a%3A1', 2), ('a', 9)");
    const collection = productsOf();
    const ids = await idsOf(collection);
    expect(ids).toHaveLength(5);
    expect(ids.toSorted()).toEqual(["a%253A1:2", "a%3A1:2", "a:10", "a:9", "b:1"]);
    await using table = await openTable({ ...shop.options, collection, source: sourceOf(collection) });
    const positions = (await Array.fromAsync(table.records())).map(({ position }) => position as string);
    const [, second, , fourth] = positions as [string, string, string, string];
    expect(await idsOf(collection, { after: second })).toEqual(ids.slice(2));
    expect(await idsOf(collection, { after: second, through: fourth })).toEqual(ids.slice(2, 4));
    expect(await idsOf(collection, { after: fourth, through: fourth })).toEqual([]);
  });

  test("pages are cut by rows and by bytes, and a row that is larger comes alone", async () => {
    await admin.query("create table products (id int primary key, title text, kind text, price float8)");
    await admin.query(
      "insert into products select n, repeat('x', case n when 4 then 5000 else 100 end) from generate_series(1, 7) n",
    );
    const collection = productsOf();
    const plan = await planOf(admin, { collection, source: sourceOf(collection) });
    const page = async (after: string | null, rowsMax: number) =>
      (
        await readPage(
          admin,
          plan,
          { after: after === null ? null : [after], through: null },
          { rowsMax, bytesMax: 1_000 },
        )
      ).map(({ key }) => Number(key[0]));
    expect([
      await page(null, 2),
      await page("2", 9),
      await page("3", 9),
      await page("4", 9),
      await page("7", 9),
    ]).toEqual([[1, 2], [3], [4], [5, 6, 7], []]);
  });

  test("conditions choose rows; a view and a materialized view are read by the key that is named", async () => {
    await admin.query(`create table goods (no int primary key, title text, kind text, price numeric, gone_at date, listed bool);
insert into goods values (1, 'a', 'x', 1, null, true), (2, 'b', 'y', 2, null, true), (3, 'c', 'z', 3, '2024-01-01', true), (4, 'd', 'x', 4, null, false);
create view shown as select no, title, kind, price from goods where listed; create materialized view kept as select * from shown`);
    const where = { gone_at: null, listed: true, kind: ["x", "y"] };
    expect(await idsOf(productsOf({ table: "goods", where }))).toEqual(["1", "2"]);
    expect(await idsOf(productsOf({ table: "shown", key: "no", changes: false }))).toEqual(["1", "2", "3"]);
    expect(await idsOf(productsOf({ table: "public.kept", key: "no", where: { title: "o'c" } }))).toEqual([]);
    const wrong = productsOf({ table: "goods", where: { listed: "perhaps" } });
    await expect(idsOf(wrong)).rejects.toMatchObject({ code: "source_mismatch" });
  });

  test("what does not fit is listed, each with its mend", async () => {
    await admin.query(`create table products (no int, title text[], price text, made timestamp);
create table parent (id int primary key); create table child () inherits (parent); create table secret (id int primary key)`);
    const problems = (collection: ReturnType<typeof productsOf>) =>
      planOf(admin, { collection, source: sourceOf(collection) }).then(
        () => "",
        ({ code, message }) => `${code}: ${message}`,
      );
    const said = await problems(productsOf({}, { fields: { made: "timestamp" } }));
    expect(said.split("\n  - ")).toEqual([
      "source_mismatch: collection products, table public.products:",
      expect.stringContaining("no primary key"),
      expect.stringContaining('"title" (text[]) can\'t be a field of type text'),
      expect.stringContaining('field "kind": there is no column "kind"'),
      expect.stringContaining('"price" (text) can\'t be a field of type number'),
      expect.stringContaining("name the one it is in"),
    ]);
    expect(await problems(productsOf({ table: "nowhere" }))).toContain("there is no table public.nowhere");
    expect(await problems(productsOf({ table: "parent" }))).toContain("inherit");
    const key = await problems(
      productsOf({ key: "no", map: { title: "price", kind: "price", price: "no" } }),
    );
    expect(key).toContain("may be null");
    expect(key).toContain("unique index");
  });

  test("the total is the planner's, the fingerprint follows the definition and not the rows", async () => {
    await admin.query(
      "create table products (id int primary key, title text, kind text, price float8, other text)",
    );
    await admin.query("insert into products (id) select generate_series(1, 500); analyze products");
    const look = async (collection: ReturnType<typeof productsOf>) => {
      await using table = await openTable({ ...shop.options, collection, source: sourceOf(collection) });
      return [await table.total(), await table.fingerprint()] as const;
    };
    const [total, fingerprint] = await look(productsOf());
    expect(total).toBe(500);
    await admin.query("delete from products where id = 1; alter table products drop column other");
    expect((await look(productsOf()))[1]).toBe(fingerprint);
    expect((await look(productsOf({ map: { kind: "title" } })))[1]).not.toBe(fingerprint);
    expect((await look(productsOf({ where: { kind: "a" } })))[1]).not.toBe(fingerprint);
  });
});
