import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPool } from "../pool.ts";
import { openPostgresStore } from "../postgres-store.ts";
import { filmsLayout, openStore, type TestDatabase, upsert } from "../test-database.fixture.ts";
import type { CollectionLayout } from "./collection-tables.ts";
import { migrate, planMigration } from "./migrate.ts";

/** Bringing a database to this version, and refusing what does not fit it. */
export function describeMigrations(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  test("a fresh database: the store says what is missing; the planned statements, run by hand, bring it", async () => {
    const { pool } = database;
    const collections = [filmsLayout("first")];
    const opening = openPostgresStore({ pool, collections });
    await expect(opening).rejects.toMatchObject({
      code: "schema_behind",
      message: expect.stringMatching(/schemas, 0001-foundation\.sql, .*functions.*collection first/),
      mend: expect.stringContaining("medley migrate"),
    });
    for (const { sql } of await planMigration(pool, collections)) await pool.query(`begin; ${sql} commit;`);
    expect(await migrate(pool, collections)).toEqual([]);
    await openPostgresStore({ pool, collections });
  });

  test("processes that migrate at once do not disturb each other", async () => {
    // So that all three are connected before they begin.
    await Promise.all([1, 2, 3].map(() => database.pool.query("select pg_sleep(0.05)")));
    const collections = [filmsLayout("at_once")];
    const runs = Array.from({ length: 3 }, () => migrate(database.pool, collections));
    expect((await Promise.all(runs)).flat()).toEqual(["collection at_once"]);
  });

  test("a migration that fails leaves nothing behind", async () => {
    await database.pool.query("create table medley_internal.blocked_g1 ()");
    const collections = [filmsLayout("before_blocked"), filmsLayout("blocked")];
    await expect(migrate(database.pool, collections)).rejects.toThrow(/already exists/);
    const { rows } = await database.pool.query("select to_regclass('medley.before_blocked') as left_behind");
    expect(rows).toEqual([{ left_behind: null }]);
    await database.pool.query("drop table medley_internal.blocked_g1");
    expect(await migrate(database.pool, collections)).toHaveLength(2);
  });

  test("functions are applied again when their text changed", async () => {
    await database.pool.query(
      "update medley_internal.migrations set checksum = 'x' where name = 'functions/query.sql'",
    );
    expect(await migrate(database.pool, [])).toEqual(["functions/query.sql"]);
  });

  test("a database of a newer version is refused, and so is a migration with another text", async () => {
    const { pool } = database;
    await pool.query("insert into medley_internal.migrations values ('0999-later.sql', 'x')");
    await expect(migrate(pool, [])).rejects.toMatchObject({ code: "data_too_new" });
    await expect(openPostgresStore({ pool, collections: [] })).rejects.toMatchObject({
      code: "data_too_new",
    });
    await pool.query("delete from medley_internal.migrations where name = '0999-later.sql'");
    const { rows } = await pool.query(
      "update medley_internal.migrations set checksum = 'x' where name = '0001-foundation.sql' returning true",
    );
    expect(rows).toHaveLength(1);
    await expect(migrate(pool, [])).rejects.toMatchObject({ code: "schema_conflict" });
    const { readMigrations } = await import("./migration-files.ts");
    await pool.query(
      "update medley_internal.migrations set checksum = $1 where name = '0001-foundation.sql'",
      [readMigrations()[0]?.checksum],
    );
  });

  test("tables of earlier versions get the upkeep that new ones have", async () => {
    const { pool } = database;
    await migrate(pool, [filmsLayout("kept")]);
    const options = async () =>
      (await pool.query("select reloptions from pg_class where oid = 'medley_internal.kept_g1'::regclass"))
        .rows;
    const fresh = await options();
    expect(fresh[0].reloptions).toContain("fillfactor=90");
    await pool.query(
      `alter table medley_internal.kept_g1 reset (${fresh[0].reloptions.map((one: string) => one.split("=")[0])})`,
    );
    expect(await options()).toEqual([{ reloptions: null }]);
    await pool.query("delete from medley_internal.migrations where name = '0005-table-upkeep.sql'");
    expect(await migrate(pool, [])).toEqual(["0005-table-upkeep.sql"]);
    expect(await options()).toEqual(fresh);
  });

  test("a database from before profiles gets their tables, and a collection its settings", async () => {
    const { pool } = database;
    const plain = filmsLayout("before_profiles");
    await migrate(pool, [plain]);
    await pool.query(
      `drop table medley_internal.profiles, medley_internal.profile_events cascade;
alter table medley_internal.collections drop column profiles;
delete from medley_internal.migrations where name in ('0007-profiles.sql', 'functions/profiles.sql')`,
    );
    const profiles = { events: { like: 1 }, halfLifeDays: 30, eventsMax: 200 };
    const collections = [{ ...plain, collection: { ...plain.collection, profiles } }];
    expect(await migrate(pool, collections)).toEqual([
      "0007-profiles.sql",
      "functions/profiles.sql",
      "collection before_profiles: search settings",
    ]);
    expect(await migrate(pool, collections)).toEqual([]);
    expect(await migrate(pool, [plain])).toEqual(["collection before_profiles: search settings"]);
  });

  const changed = (name: string, change: (layout: CollectionLayout) => CollectionLayout) =>
    change(filmsLayout(name));
  const withSpace =
    (index: number, part: object) =>
    (given: CollectionLayout): CollectionLayout => ({
      ...given,
      layout: given.layout.map((segment, at) => (at === index ? { ...segment, ...part } : segment)),
    });

  test("a new field is added, a weight changed, and rows stay", async () => {
    const store = await openStore(database, filmsLayout("grown"));
    await store.writeRows("grown", [upsert("a", 1, { title: "A" }, [1, 0, 0, 0, 1])], null);
    const grown = changed("grown", ({ collection, layout }) => ({
      collection: {
        ...collection,
        fields: [...collection.fields, { name: "length_m", type: "number" }],
        weights: { year: 3, genres: 0 },
      },
      layout,
    }));
    await expect(openPostgresStore({ pool: database.pool, collections: [grown] })).rejects.toMatchObject({
      message: expect.stringContaining("new field length_m"),
    });
    expect(await migrate(database.pool, [grown])).toHaveLength(1);
    const reopened = await openPostgresStore({ pool: database.pool, collections: [grown] });
    await reopened.writeRows("grown", [upsert("b", 1, { length_m: 7 }, [1, 0, 0, 0, 1])], null);
    const hits = await reopened.search({ collection: "grown", like: "a" });
    expect(
      hits.map(({ id, score, fields }) => [id, Math.round(score), fields.title, fields.length_m]),
    ).toEqual([
      ["a", 3, "A", null],
      ["b", 3, null, 7],
    ]);
  });

  const conflicts: [string, (given: CollectionLayout) => CollectionLayout, RegExp][] = [
    [
      "other dimensions",
      withSpace(1, { dimensions: 4 }),
      /space "genres" is stored with 3 dimensions, not 4/,
    ],
    [
      "another encoder",
      withSpace(0, { encoderIdentity: "other" }),
      /space "year" was encoded by another encoder/,
    ],
    [
      "another field that a space reads",
      ({ collection, layout }) => ({
        collection: {
          ...collection,
          spaces: collection.spaces.map((s) => (s.name === "year" ? { ...s, fields: ["title"] } : s)),
        },
        layout,
      }),
      /segments of space "year" are of year, not of title/,
    ],
    ["another name", withSpace(0, { space: "age" }), /space "year" is stored where "age" is configured/],
    [
      "a space less",
      ({ collection, layout }) => ({ collection, layout: layout.slice(0, 1) }),
      /space "genres" is stored/,
    ],
    [
      "a field less",
      ({ collection, layout }) => ({
        collection: { ...collection, fields: collection.fields.slice(1) },
        layout,
      }),
      /field "title" is stored but no longer configured/,
    ],
    [
      "a field of another type",
      ({ collection, layout }) => ({
        collection: {
          ...collection,
          fields: collection.fields.map((f) => (f.name === "year" ? { ...f, type: "text" } : f)),
        },
        layout,
      }),
      /field "year" is stored as number but configured as text/,
    ],
  ];

  test.for(conflicts)("%s: schema_conflict", async ([, change, message]) => {
    await migrate(database.pool, [filmsLayout("settled")]);
    const refusal = {
      code: "schema_conflict",
      message: expect.stringMatching(message),
      mend: expect.stringContaining("new name"),
    };
    await expect(migrate(database.pool, [changed("settled", change)])).rejects.toMatchObject(refusal);
    expect(await migrate(database.pool, [filmsLayout("settled")])).toEqual([]);
  });
}

/** On a server, which has roles; the embedded engine has one. */
export function describeMigrationRights(open: () => Promise<TestDatabase>): void {
  test("a role that may not make schemas is told what to do", async () => {
    const database = await open();
    const role = `medley_guest_${randomUUID().slice(0, 8)}`;
    await database.pool.query(`create role ${role} login password 'guest'`);
    const url = new URL(database.connectionString);
    Object.assign(url, { username: role, password: "guest" });
    const guests = openPool({ connectionString: url.href });
    await expect(migrate(guests, [filmsLayout("guests")])).rejects.toMatchObject({
      code: "schema_behind",
      mend: expect.stringContaining("owner"),
    });
    await guests.end();
    await database.pool.query(`drop role ${role}`);
    await database.close();
  });
}
