import { randomBytes } from "node:crypto";
import { version } from "@medley/core";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildIndex, dropIndex } from "../collection-index.ts";
import { writeGraphAxes } from "../graph-axes.ts";
import { openPool } from "../pool.ts";
import { openPostgresStore, type PostgresStore } from "../postgres-store.ts";
import { rebuildProfiles } from "../profiles.ts";
import {
  filmsLayout,
  openServerDatabase,
  type TestDatabase,
  tombstone,
  upsert,
} from "../test-database.fixture.ts";
import { migrate } from "./migrate.ts";
import { grantRoles, grantSql, readRoleFaults } from "./roles.ts";

const serverUrl = process.env.DATABASE_URL;
// Roles are the server's, not the database's; quotes, since a name may have any characters.
const suffix = randomBytes(4).toString("hex");
const names = { app: `medley "app' ${suffix}`, read: `medley_read_${suffix}` };
const password = randomBytes(8).toString("hex");
const layout = filmsLayout("films");
const profiles = { events: { like: 1 }, halfLifeDays: 30, eventsMax: 200 };
const films = [{ ...layout, collection: { ...layout.collection, profiles } }];
const settled = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 };
const letter = {
  collection: "films",
  recordId: "x",
  version: 1n,
  stage: "embed" as const,
  code: "encoder_failed",
  reason: "no",
  payload: Uint8Array.of(1),
  source: "a",
  runId: null,
  attempt: 1,
  trace: null,
};

let database: TestDatabase;
const pools: Record<"app" | "read", pg.Pool> = {} as never;
let store: PostgresStore;

function refused(state: string): object {
  return { code: state };
}

describe.skipIf(serverUrl === undefined)("roles on the server at DATABASE_URL", () => {
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
    await migrate(database.pool, films);
    for (const name of Object.values(names)) {
      await database.pool.query(`create role ${pg.escapeIdentifier(name)} login password '${password}'`);
    }
    await grantRoles(database.pool, [
      { name: names.app, kind: "app" },
      { name: names.read, kind: "read" },
    ]);
    for (const kind of ["app", "read"] as const) {
      const url = new URL(database.connectionString);
      url.username = encodeURIComponent(names[kind]);
      url.password = password;
      pools[kind] = openPool({ connectionString: url.href });
    }
    store = await openPostgresStore({ pool: pools.app, collections: films });
  });

  afterAll(async () => {
    await Promise.all(Object.values(pools).map((pool) => pool.end()));
    await database.close();
    const admin = new pg.Client({ connectionString: serverUrl as string });
    await admin.connect();
    for (const name of Object.values(names)) await admin.query(`drop role ${pg.escapeIdentifier(name)}`);
    await admin.end();
  });

  test("the app role can do all that the store does", async () => {
    const rows = [upsert("a", 1, { title: "A" }, [1, 0, 0, 0, 1]), tombstone("b", 1)];
    await store.createRun({
      runId: "run",
      collection: "films",
      source: "f",
      fingerprint: "f",
      baseVersion: 1n,
      chunksSent: 0,
      recordsRead: 0,
      position: null,
      state: "running",
      startedAtMs: 0,
    });
    await store.advanceRun("run", { chunksSent: 2, recordsRead: 2, position: null });
    expect(await store.writeRows("films", rows, { runId: "run", chunk: 0, settled })).toEqual([
      "indexed",
      "tombstoned",
    ]);
    expect(await store.writeRows("films", rows, null)).toEqual(["indexed", "tombstoned"]);
    await store.writeRows("films", [], { runId: "run", chunk: 1, settled });
    await store.sealRun("run");
    expect((await store.readFigures()).runs).toMatchObject([{ runId: "run", state: "done" }]);
    expect(await store.readRunProgress("run")).toMatchObject({ chunksDone: 2, indexed: 1, tombstoned: 1 });
    expect((await store.readSegments("films", ["a", "b"])).size).toBe(2);
    await store.addDeadLetters([letter]);
    await store.addDeadLetters([letter]);
    const [stored] = await store.listDeadLetters({ limit: 1 });
    await store.markReplayed([stored as NonNullable<typeof stored>]);
    expect(await store.readDeadLetter(stored?.deadLetterId ?? 0)).toMatchObject({ failures: 2 });
    expect(await store.collectionStatus()).toMatchObject([{ rowsLive: 1, tombstones: 1 }]);
    expect(await store.search({ collection: "films", like: "a" })).toMatchObject([{ id: "a" }]);
  });

  test.for([
    "create table medley.mine ()",
    "create table medley_internal.mine ()",
    "create function medley.mine() returns int return 1",
    "create index on medley_internal.films_g1 (year)",
    "alter table medley_internal.films_g1 add column mine int",
    "drop table medley_internal.films_g1",
    "drop view medley.films",
    "truncate medley_internal.films_g1",
    "delete from medley_internal.films_g1",
    "update medley_internal.collections set weights = '{}'",
    "delete from medley_internal.migrations",
    "insert into medley_internal.granted_roles values ('postgres', 'app')",
    "create or replace view medley.films as select 1",
  ])("the app role may not: %s", async (statement) => {
    await expect(pools.app.query(statement)).rejects.toMatchObject(refused("42501"));
  });

  test("the app role keeps profiles; the read role searches for a user it names, and can't see who did what", async () => {
    await store.writeRows("films", [upsert("a", 2, { title: "A", year: 1990 }, [1, 0, 0, 0, 1])], null);
    const like = { user: "u", eventId: "e", item: "a", kind: "like", atMs: 0, version: version(1n) };
    expect(await store.writeEvents("films", [like])).toEqual(["indexed"]);
    const found = async (options: string) =>
      (await pools.read.query(`select id from medley.search_for('films', 'u'${options})`)).rows;
    expect(await found("")).toEqual([{ id: "a" }]);
    expect(await found(", exclude_seen => true")).toEqual([]);
    for (const statement of [
      "select * from medley_internal.profiles",
      "select * from medley_internal.profile_events",
      "select medley_internal.forget_user('films', 'u', now(), 1)",
    ]) {
      await expect(pools.read.query(statement)).rejects.toMatchObject(refused("42501"));
    }
    await rebuildProfiles(pools.app, "films", { signal: AbortSignal.timeout(10_000), onProgress: () => {} });
    expect(await store.forgetUser("films", "u", { atMs: 1, version: version(2n) })).toBe(1);
  });

  test("the read role searches, explains and reads views", async () => {
    await store.writeRows("films", [upsert("a", 2, { title: "A", year: 1990 }, [1, 0, 0, 0, 1])], null);
    const query = async (text: string) => (await pools.read.query(text)).rows;
    const asked = `medley.query('films', '{"year": 1990}', "like" => 'a')`;
    expect(
      await query(`select id from medley.search('films', ${asked}, 5, '{"year": {"gte": 1980}}')`),
    ).toEqual([{ id: "a" }]);
    expect(await query(`select space from medley.explain('films', 'a', ${asked})`)).toHaveLength(2);
    expect(
      await query(`select title, medley.score(embedding, q) > 0 as scored, medley.segment(embedding, 'films', 'year') as segment
        from medley.films, ${asked} as q`),
    ).toMatchObject([{ title: "A", scored: true }]);
    expect(await query(`select id, similarity from medley.match_films(${asked}, 0.5)`)).toMatchObject([
      { id: "a", similarity: expect.closeTo(0.94, 2) },
    ]);
  });

  test("the read role searches by the index as well", async () => {
    const rows = Array.from({ length: 30 }, (_, n) =>
      upsert(`indexed-${n}`, 1, { year: 1990 }, [1, 0, 0, 0, 1]),
    );
    await store.writeRows("films", rows, null);
    await buildIndex(database.connectionString, "films");
    const { rows: hits } = await pools.read.query(
      `select id from medley.search('films', medley.query('films', '{"year": 1990, "genres": "Horror"}'), 5)`,
    );
    expect(hits).toHaveLength(5);
  });

  test("graphs over fewer dimensions are written into by the app role and read by the read role", async () => {
    await dropIndex(database.connectionString, "films");
    const axes = [
      [1, 0, 0],
      [0, 1, 0],
    ];
    await writeGraphAxes(database.connectionString, { collection: "films" }, [{ space: "genres", axes }]);
    await buildIndex(database.connectionString, "films");
    await store.writeRows("films", [upsert("later", 1, { year: 1990 }, [1, 0, 0, 0.6, 0.8])], null);
    const { rows } = await pools.read.query(
      "select id from medley_internal.collections as c, medley_internal.search_paths(c) as path, " +
        "medley_internal.path_candidates(c, to_jsonb(path) || '{\"depth\": 40}', '[1,0,0,0.6,0.8]', '[1,0,0,0.6,0.8]', 10, 'true', null) as found, " +
        "unnest(ids) as id where place = 0",
    );
    expect(rows).toContainEqual({ id: "later" });
    await expect(pools.app.query("delete from medley_internal.graph_axes")).rejects.toMatchObject(
      refused("42501"),
    );
  });

  test.for([
    "insert into medley.films (id, version, indexed_at) values ('x', 1, now())",
    "update medley.films set title = 'x'",
    "delete from medley.films",
    "select from medley_internal.films_g1",
    "select from medley.dead_letters",
    "select from medley_internal.dead_letters",
    "select from medley_internal.backfill_run",
    "update medley_internal.collections set weights = '{}'",
    "create table medley.mine ()",
    "truncate medley_internal.films_g1",
  ])("the read role may not: %s", async (statement) => {
    await expect(pools.read.query(statement)).rejects.toMatchObject(refused("42501"));
  });

  test("a later migration's collection is granted to roles named before; the check says what is missing", async () => {
    const grown = [...films, filmsLayout("later")];
    await migrate(database.pool, grown);
    expect(await readRoleFaults(database.pool, [])).toMatchObject([
      {
        role: { kind: "app" },
        missing: expect.arrayContaining([expect.stringMatching(/later_g1/)]),
        excess: null,
      },
      {
        role: { kind: "read" },
        missing: [
          expect.stringMatching(/grant select on table medley\.later to/),
          expect.stringMatching(/grant select on table medley_internal\.later_g1_rows to/),
        ],
      },
    ]);
    const before = await openPostgresStore({ pool: pools.app, collections: grown });
    const row = [upsert("a", 1, {}, [1, 0, 0, 0, 1])];
    await expect(before.writeRows("later", row, null)).rejects.toMatchObject({
      code: "permission_denied",
      retryable: true,
      mend: expect.stringContaining("--role-app"),
    });
    expect(await grantRoles(database.pool, [])).not.toEqual([]);
    expect(await grantRoles(database.pool, [])).toEqual([]);
    expect(await readRoleFaults(database.pool, [])).toEqual([]);
    expect(await before.writeRows("later", row, null)).toEqual(["indexed"]);
    expect(
      (
        await pools.read.query(
          "select id from medley.search('later', medley.query('later', \"like\" => 'a'))",
        )
      ).rows,
    ).toEqual([{ id: "a" }]);
  });

  test("a text that is made anew can be searched by the read role from the moment it is there", async () => {
    const worded = (language: string) => {
      const text = { name: "words", fields: [{ field: "title", label: "A" as const }], language, weight: 1 };
      const { collection, ...rest } = filmsLayout("worded");
      return { ...rest, collection: { ...collection, texts: [text] } };
    };
    await migrate(database.pool, [worded("english")]);
    await grantRoles(database.pool, []);
    const app = await openPostgresStore({ pool: pools.app, collections: [worded("english")] });
    await app.writeRows("worded", [upsert("a", 1, { title: "Films" }, [1, 0, 0, 0, 1])], null);
    const found = async (words: string) => {
      const text =
        "select id from medley.search('worded', null, 5, texts => jsonb_build_object('words', $1::text))";
      return (await pools.read.query(text, [words])).rows;
    };
    expect(await found("film")).toEqual([{ id: "a" }]);
    await migrate(database.pool, [worded("simple")]);
    expect(await found("film")).toEqual([]);
    expect(await found("films")).toEqual([{ id: "a" }]);
    expect(await readRoleFaults(database.pool, [])).toEqual([]);
  });

  test("a role that is not there, or that no grant can bind, is refused with a mend", async () => {
    await expect(grantRoles(database.pool, [{ name: "no such role", kind: "app" }])).rejects.toMatchObject({
      code: "role_unknown",
      mend: expect.stringContaining('create role "no such role" login'),
    });
    const { rows } = await database.pool.query<{ name: string }>("select current_user as name");
    const owner = { name: rows[0]?.name as string, kind: "app" as const };
    await expect(grantRoles(database.pool, [owner])).rejects.toMatchObject({ code: "usage" });
    expect(await readRoleFaults(database.pool, [owner])).toMatchObject([
      { excess: expect.stringMatching(/superuser|owns/) },
    ]);
    await expect(grantRoles(database.pool, [{ name: names.read, kind: "app" }])).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining('kind "read"'),
    });
    const again = { name: names.app, kind: "app" as const };
    await database.pool.query(grantSql(again));
    await expect(grantRoles(pools.app, [again])).rejects.toMatchObject({
      mend: expect.stringContaining("the role that owns"),
    });
  });

  test("a right that was taken away, or one too many, is noticed", async () => {
    const read = pg.escapeIdentifier(names.read);
    await database.pool.query(
      `revoke select on medley.films from ${read}; grant create on schema medley to ${read}`,
    );
    expect(await readRoleFaults(database.pool, [])).toEqual([
      {
        role: { name: names.read, kind: "read" },
        missing: [`grant select on table medley.films to ${names.read}`],
        excess: "may create tables in Medley's schemas",
      },
    ]);
    await database.pool.query(`revoke create on schema medley from ${read}`);
    expect(await grantRoles(database.pool, [])).toEqual([
      `grant select on table medley.films to ${names.read}`,
    ]);
  });
});
