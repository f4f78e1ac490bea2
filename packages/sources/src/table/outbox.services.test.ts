/** What is installed in the user's database: who may do what, what tells a change, and that nothing is left behind. */
import type { TableSource } from "@medley/core";
import type pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { installScript, listInstalled, readOutboxStatus, requireOutbox, uninstallOutbox } from "./outbox.ts";
import { outboxOf } from "./outbox-ddl.ts";
import { productsOf, ShopDatabase, until } from "./shop.fixture.ts";
import { connect } from "./table-database.ts";
import { planOf } from "./table-source.ts";

const collection = productsOf();

describe.skipIf(process.env.DATABASE_URL === undefined)("outbox (needs DATABASE_URL)", () => {
  let shop: ShopDatabase;
  let admin: pg.Client;

  beforeEach(async () => {
    shop = await ShopDatabase.create();
    admin = await shop.client();
    await admin.query("create table products (id bigint primary key, title text, kind text, price numeric)");
  });
  afterEach(() => shop[Symbol.asyncDispose]());

  const planned = (of = collection, client = admin) =>
    planOf(client, { collection: of, source: of.sources[0] as TableSource });
  const stateOf = async (of = collection) => (await readOutboxStatus(admin, await planned(of), "test")).state;
  /** Keys told by what `sql` does, in order. */
  async function told(sql: string, client: Pick<pg.Client, "query"> = admin): Promise<string[]> {
    await admin.query("delete from medley_outbox.change");
    await client.query(sql);
    const { rows } = await admin.query("select key from medley_outbox.change order by position");
    return rows.map(({ key }) => key.join(":"));
  }

  test("installed twice changes nothing, another mapping is out of date until it is installed again", async () => {
    expect(await stateOf()).toBe("missing");
    await shop.install(admin, collection);
    await shop.install(admin, collection);
    expect(await stateOf()).toBe("installed");
    const other = productsOf({ map: { kind: "title" } });
    expect(await stateOf(other)).toBe("outdated");
    await expect(requireOutbox(admin, await planned(other), "test")).rejects.toMatchObject({
      code: "outbox_behind",
      mend: expect.stringContaining("medley sources install"),
    });
    await shop.install(admin, other);
    expect([await stateOf(other), await stateOf()]).toEqual(["installed", "outdated"]);
    await admin.query("insert into products values (1, 'a', 'b', 1)");
    expect(await told("update products set kind = 'c'")).toEqual([]);
  });

  test("a trigger that is off, and a table made anew, are out of date", async () => {
    await shop.install(admin, collection);
    await admin.query("alter table products disable trigger user");
    expect(await stateOf()).toBe("outdated");
    await admin.query("alter table products enable trigger user");
    expect(await stateOf()).toBe("installed");
    await admin.query(
      "create table copied (like products including all); drop table products; alter table copied rename to products",
    );
    expect(await stateOf()).toBe("outdated");
  });

  test("uninstalling takes away one source, and everything with the last one; also where the table has another name by now", async () => {
    await admin.query("create table more (like products including all)");
    const more = productsOf({ table: "more" });
    await shop.install(admin, collection);
    await shop.install(admin, more);
    await admin.query("alter table products rename to wares; insert into wares values (1)");
    const [first, second] = await listInstalled(admin, "test");
    expect([first?.name, second?.name]).toEqual([
      "test.products.public.more",
      "test.products.public.products",
    ]);
    expect(await listInstalled(admin, "tes")).toEqual([]);
    await uninstallOutbox(admin, second?.sourceId as string);
    await admin.query("insert into wares values (2)");
    expect(await told("insert into more values (5)")).toEqual(["5"]);
    await uninstallOutbox(admin, first?.sourceId as string);
    const left = `select (select count(*) from pg_trigger where not tgisinternal) + (select count(*) from pg_proc where proname like 'capture%')
  + (select count(*) from pg_namespace where nspname = 'medley_outbox') as left`;
    expect((await admin.query(left)).rows[0].left).toBe("0");
  });

  test("a writer needs no right on the outbox, and its search_path leads nowhere", async () => {
    await shop.install(admin, collection);
    const role = `writer_${Date.now()}`;
    await admin.query(`create role ${role}; grant insert, update, delete on products to ${role}; grant select on products to ${role};
create schema trap; grant usage on schema trap to ${role};
create function trap.lies(text, text) returns boolean language sql as 'select false';
create operator trap.= (leftarg = text, rightarg = text, function = trap.lies)`);
    const writer = await shop.client();
    await writer.query(`set role ${role}; set search_path = trap, pg_catalog, public`);
    expect(await told("insert into public.products values (1, 'a', 'b', 1)", writer)).toEqual(["1"]);
    expect(await told("delete from public.products", writer)).toEqual(["1"]);
    await expect(writer.query("insert into medley_outbox.change values (1)")).rejects.toThrow("permission");
    await expect(writer.query("select medley_outbox.next_version()")).rejects.toThrow("permission");
    await writer.query("reset role");
    await admin.query(`drop owned by ${role}; drop role ${role}`);
  });

  test("the script for an administrator gives a role what its relay needs, and no more", async () => {
    const role = `relay_${Date.now()}`;
    await admin.query(`create role ${role} login password 'x'`);
    const plan = await planned();
    await admin.query(installScript(outboxOf(plan, { deployment: "test", role })));
    const url = new URL(shop.options.connectionString);
    [url.username, url.password] = [role, "x"];
    const limited = { connectionString: url.href, embedded: false };
    const { relay, batches, faults } = await shop.relay(collection, async () => {}, limited);
    await admin.query("insert into products values (1, 'a', 'b', 1)");
    await until(() => batches.length === 1);
    await until(async () => (await admin.query("select from medley_outbox.change")).rowCount === 0);
    expect(faults).toEqual([]);
    const client = await connect(limited);
    await expect(client.query("insert into products values (2)")).rejects.toThrow("permission");
    await admin.query("alter table products enable row level security");
    await expect(planned(collection, client)).rejects.toMatchObject({
      code: "source_mismatch",
      message: expect.stringContaining("row-level security"),
    });
    await client.end();
    await relay.close({ graceMs: 1_000 });
    await admin.query(`drop owned by ${role}; drop role ${role}`);
  });

  test("columns without an exact comparison are compared by their bytes, and the triggers survive a dump", async () => {
    await admin.query(`create extension vector; alter table products add tags json, add spot point, add taste vector(2), add names text[];
insert into products values (1, 'a', 'b', 1, '[]', '(1,2)', '[1,2]', '{a}')`);
    const fields = { tags: "categories", spot: "geo", taste: "vector(2)", names: "categories" };
    await shop.install(admin, productsOf({}, { fields }));
    expect(
      await told("update products set tags = '[]', spot = '(1,2)', taste = '[1,2]', names = '{a}'"),
    ).toEqual([]);
    const changes = ["tags = '[ ]'", "spot = '(1,2.0000000001)'", "taste = '[1,3]'", "names = null"];
    for (const change of changes) expect(await told(`update products set ${change}`)).toEqual(["1"]);
    // As pg_dump writes them down and psql makes them again.
    const { rows } = await admin.query(
      "select tgname, pg_get_triggerdef(oid) as made from pg_trigger where tgrelid = 'products'::regclass and not tgisinternal",
    );
    await admin.query("begin; set local search_path = ''");
    for (const { tgname, made } of rows)
      await admin.query(`drop trigger ${tgname} on public.products; ${made}`);
    await admin.query("commit");
    expect(await told("update products set spot = null")).toEqual(["1"]);
  });

  test("rows that the conditions let through neither before nor after are not told", async () => {
    await shop.install(admin, productsOf({ where: { kind: ["x", "y"] } }));
    expect(
      await told("insert into products values (1, 'a', 'x', 1), (2, 'a', 'z', 1), (3, 'a', null, 1)"),
    ).toEqual(["1"]);
    expect(await told("update products set title = 'b'")).toEqual(["1"]);
    expect(
      await told("update products set kind = 'z' where id = 1; update products set kind = 'y' where id = 3"),
    ).toEqual(["1", "3"]);
    expect(await told("delete from products where id < 3")).toEqual([]);
    expect(await told("truncate products")).toEqual(["3"]);
  });

  test("partitions tell as their table does, also where a row moves between them", async () => {
    await admin.query(`create table parted (shop int, id int, title text, kind text, price float8, primary key (shop, id)) partition by list (shop);
create table parted_1 partition of parted for values in (1); create table parted_2 partition of parted for values in (2)`);
    await shop.install(admin, productsOf({ table: "parted" }));
    expect(
      await told("insert into parted values (1, 1), (2, 1); insert into parted_1 values (1, 2)"),
    ).toEqual(["1:1", "2:1", "1:2"]);
    const moved = await told("update parted set shop = 2 where shop = 1 and id = 2");
    expect(moved.toSorted()).toEqual(["1:2", "2:2"]);
    expect((await told("truncate parted")).toSorted()).toEqual(["1:1", "2:1", "2:2"]);
  });

  test("a collection with versions: a delete is one above the row's, an upsert has the row's", async () => {
    const versioned = productsOf({ version: "rev" }, { version: "revision" });
    await admin.query("alter table products add rev int not null default 1");
    await shop.install(admin, versioned);
    await admin.query("insert into products values (1, 'a', 'b', 1, 7), (2, 'a', 'b', 1, 3)");
    await admin.query("update products set rev = 4 where id = 2; delete from products where id = 2");
    const { batches } = await shop.relay(versioned);
    await until(() => batches.length > 0);
    expect(batches[0]?.records).toEqual([
      { id: "1", revision: "7", title: "a", kind: "b", price: 1 },
      { id: "2", revision: "5", _op: "delete" },
    ]);
  });

  test("a table that stays locked is not waited for, and nothing is half installed", async () => {
    const holder = await shop.client();
    await holder.query("begin; lock table products in row exclusive mode");
    await expect(shop.install(admin, collection)).rejects.toMatchObject({ code: "source_unavailable" });
    expect(await stateOf()).toBe("missing");
    await holder.query("rollback");
  });
});
