/** A table in Medley's own embedded Postgres as a source: `medley up` relays its changes. */
import pg from "pg";
import { expect, test } from "vitest";
import { until, Workplace } from "./medley.fixture.ts";

const config = {
  collections: {
    goods: {
      fields: { kind: "category", price: "number" },
      spaces: { price: { encoder: "number", field: "price", range: [0, 100] } },
      sources: [{ kind: "postgres", table: "goods", key: ["shop", "no"] }],
    },
  },
};

test("a table made beside Medley's is installed, backfilled, relayed, and uninstalled while medley up runs", async () => {
  await using workplace = new Workplace(config);
  const { command, connectionString } = await workplace.up();
  await command.said(/there is no table public\.goods/);
  const client = new pg.Client({ connectionString });
  client.on("error", () => {});
  await client.connect();
  const rows = async () => (await client.query("select id, kind, price from medley.goods order by id")).rows;
  // The session is shared with the queue, whose schema comes first.
  await client.query(
    "create table public.goods (shop text, no int, kind text, price numeric, stock int, primary key (shop, no))",
  );
  await client.query("insert into public.goods values ('a:b', 1, 'x', 5), ('a', 2, 'y', 6)");
  expect(await workplace.runJson(["sources", "status"])).toMatchObject({
    exitCode: 1,
    data: { sources: [{ name: "medley.goods.public.goods", state: "missing" }] },
  });
  const script = await workplace.runJson(["sources", "install", "--sql"]);
  expect(script.data.scripts[0]).toContain("create or replace trigger");
  expect((await workplace.runJson(["sources", "install"])).exitCode).toBe(0);
  expect(await workplace.runJson(["backfill", "postgres:goods"])).toMatchObject({
    exitCode: 0,
    data: { indexed: 2, state: "done" },
  });
  await client.query("insert into public.goods values ('c', 3, 'z', 7)");
  await client.query("update public.goods set price = 8 where no = 2");
  await client.query("delete from public.goods where no = 1");
  const wanted = [
    { id: "a:2", kind: "y", price: 8 },
    { id: "c:3", kind: "z", price: 7 },
  ];
  expect(await until(rows, (found) => JSON.stringify(found) === JSON.stringify(wanted))).toEqual(wanted);
  expect(await workplace.runJson(["sources", "status"])).toMatchObject({
    exitCode: 0,
    data: { sources: [{ state: "installed", waiting: 0 }], notConfigured: [] },
  });
  const unnamed = await workplace.runJson(["sources", "uninstall"]);
  expect(unnamed.error).toMatchObject({
    code: "usage",
    mend: expect.stringContaining("medley.goods.public.goods"),
  });
  const gone = await workplace.runJson(["sources", "uninstall", "medley.goods.public.goods"]);
  expect(gone).toMatchObject({ exitCode: 0, data: { uninstalled: ["medley.goods.public.goods"] } });
  await client.query("insert into public.goods values ('d', 4, 'z', 7)");
  await client.end();
});
