import { setTimeout as sleep } from "node:timers/promises";
import { type Collection, checkConfig, type UserEvent, type VectorEnvelope, version } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { CollectionLayout } from "../migrations/collection-tables.ts";
import { migrationLock, planMigration, readCatalogue } from "../migrations/migrate.ts";
import { openPostgresStore, type PostgresStore } from "../postgres-store.ts";
import { rebuildProfiles } from "../profiles.ts";
import { openStore, type TestDatabase, tombstone, upsert } from "../test-database.fixture.ts";
import { differingSegments, missingRows, sampledIds, trySearches } from "./gates.ts";
import {
  beginGeneration,
  changesLeft,
  dropGeneration,
  noteRows,
  readWaitingChanges,
  switchGeneration,
  type Waiting,
} from "./generations.ts";

/** Generation 1: year (2 dimensions), genres (3). Generation 2: another encoder of year, and a mood of 1. */
function layoutOf(name: string, generation: 1 | 2, profiles: object = {}): CollectionLayout {
  const genres = { encoder: "category", field: "genres", values: ["Comedy", "Drama", "Horror"] };
  const year = { encoder: "number", field: "year", range: [1900, generation === 1 ? 2030 : 2040] };
  const mood = { encoder: "category", field: "mood", values: ["Dark"] };
  const [collection] = checkConfig({
    collections: {
      [name]: {
        fields: { year: "number", genres: "categories", ...(generation === 1 ? {} : { mood: "category" }) },
        spaces: generation === 1 ? { year, genres } : { year, genres, mood },
        ...profiles,
      },
    },
  }) as [Collection];
  const segments = [
    { space: "year", offset: 0, dimensions: 2, encoderIdentity: `year-encoder-${generation}` },
    { space: "genres", offset: 2, dimensions: 3, encoderIdentity: "genres-encoder" },
    { space: "mood", offset: 5, dimensions: 1, encoderIdentity: "mood-encoder" },
  ];
  return { collection, layout: segments.slice(0, generation + 1) };
}

const row = (id: string, ofVersion: number) =>
  upsert(id, ofVersion, { year: ofVersion, genres: ["Drama"] }, [0, 1, 0, 1, 0]);

/** As the pipeline would: what the row says, in the layout of generation 2 (or of 1). */
function inGeneration(generation: number, envelope: VectorEnvelope): VectorEnvelope {
  const vector = envelope.op === "delete" ? [] : generation === 2 ? [1, 0, 0, 1, 0, 1] : [0, 1, 0, 1, 0];
  return { ...envelope, vector: Float16Array.from(vector), generation };
}

export function describeGenerations(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  /** A collection with rows in its first generation, and its second begun. */
  async function begun(name: string, rows: readonly VectorEnvelope[], profiles: object = {}) {
    const { pool } = database;
    const before = await openStore(database, layoutOf(name, 1, profiles));
    await before.writeRows(name, rows, null);
    const next = layoutOf(name, 2, profiles);
    const begin = async (more: readonly string[] = []) => {
      const stored = (await readCatalogue(pool)).find((one) => one.name === name);
      const asked = { stored: stored as NonNullable<typeof stored>, encoders: { some: "thing" } };
      const fields = [...next.collection.fields, ...more.map((of) => ({ name: of, type: "text" as const }))];
      return beginGeneration(pool, { ...next, collection: { ...next.collection, fields } }, asked);
    };
    expect(await begin()).toBe(2);
    const store = await openPostgresStore({ pool, collections: [next] });
    store.openGeneration(layoutOf(name, 1, profiles), 1);
    return { name, store, before, begin, to: { collection: name, generation: 2 } };
  }

  /** Carries what waits for a generation, a batch at a time. */
  async function carry(store: PostgresStore, name: string, to: 1 | 2): Promise<number> {
    let carried = 0;
    for (;;) {
      const changes = await store.takeChanges(name, to);
      if (changes === null) return carried;
      const rows = await store.readRows(layoutOf(name, to).collection, to === 2 ? 1 : 2, changes.ids);
      const envelopes = [...rows].map(([id, { version: of, deleted, fields }]) =>
        inGeneration(to, deleted ? tombstone(id, Number(of)) : { ...row(id, Number(of)), fields }),
      );
      if (envelopes.length > 0) await store.carryRows(name, envelopes);
      await store.finishChanges(changes);
      carried += changes.ids.length;
    }
  }

  const live = async (name: string) => {
    const text = "select live_table, generation, dimensions from medley_internal.collections where name = $1";
    return (await database.pool.query(text, [name])).rows[0];
  };
  const switched = (to: { collection: string; generation: number }) =>
    switchGeneration(database.pool, to, { drainMsMax: 0 });

  test("rows that were there and rows that come are carried over; then, and not before, the next generation becomes live", async () => {
    const { name, store, to } = await begun("shows", [row("a", 1), row("b", 1), tombstone("gone", 1)]);
    expect(await switched(to), "its rows are not noted yet").toBe(false);
    expect(await noteRows(database.pool, to)).toBe(3);
    expect(await noteRows(database.pool, to)).toBe(0);
    expect(await switched(to), "they wait").toBe(false);
    await store.writeRows(
      name,
      [row("a", 2), row("c", 2)].map((one) => ({ ...one, generation: 1 })),
      null,
    );
    expect(await carry(store, name, 2)).toBe(4);
    expect(await changesLeft(database.pool, name, 2)).toBe(0);
    expect(await missingRows(database.pool, { collection: name, live: 1, next: 2 })).toBe(0);
    expect(await switched(to)).toBe(true);
    expect(await live(name)).toEqual({ live_table: "shows_g2", generation: 2, dimensions: 6 });
    const { rows } = await database.pool.query(
      "select id, version::int, embedding::text, year, mood from medley.shows order by id",
    );
    const embedding = "[1,0,0,1,0,1]";
    expect(rows).toEqual([
      { id: "a", version: 2, embedding, year: 2, mood: null },
      { id: "b", version: 1, embedding, year: 1, mood: null },
      { id: "c", version: 2, embedding, year: 2, mood: null },
    ]);
    const { rows: deleted } = await database.pool.query(
      "select id from medley_internal.shows_g2 where deleted_at is not null",
    );
    expect(deleted).toEqual([{ id: "gone" }]);
  });

  test("a query is refused where it was encoded for a generation that is not live", async () => {
    const { name, store, to } = await begun("queried", [row("a", 1)]);
    await noteRows(database.pool, to);
    await carry(store, name, 2);
    const asked = { collection: name, parts: { year: [0, 1] } };
    const ids = async (query: object) => (await store.search({ ...asked, ...query })).map(({ id }) => id);
    expect(await ids({ generation: 1 })).toEqual(["a"]);
    await expect(ids({ generation: 2 })).rejects.toMatchObject({ code: "generation_gone" });
    expect(await switched(to)).toBe(true);
    expect(await ids({ generation: 2 })).toEqual(["a"]);
    // Also where the parts have another length there.
    await expect(ids({ generation: 1, parts: { mood: [1, 1] } })).rejects.toMatchObject({
      code: "generation_gone",
    });
    expect(await switched({ ...to, generation: 1 })).toBe(true);
    expect(await ids({ generation: 1 })).toEqual(["a"]);
  });

  test("whatever is written into either, and whenever it is carried, both end with the same versions", async () => {
    const { name, store, to } = await begun("twins", [row("r0", 1), row("r1", 1)]);
    await noteRows(database.pool, to);
    let newest = 1;
    const versions = async (generation: number) =>
      (
        await database.pool.query(
          `select id, version::int, deleted_at is null as is_live from medley_internal.twins_g${generation} order by id`,
        )
      ).rows;
    const step = fc.oneof(
      fc.record({
        kind: fc.constantFrom("upsert", "delete", "late"),
        id: fc.integer({ min: 0, max: 4 }),
        into: fc.constantFrom(1, 2),
      }),
      fc.record({ kind: fc.constant("carry" as const), to: fc.constantFrom(1 as const, 2 as const) }),
      fc.record({ kind: fc.constant("switch" as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        for (const one of steps) {
          if (one.kind === "carry") await carry(store, name, one.to);
          else if (one.kind === "switch")
            await switched({ ...to, generation: 3 - (await live(name)).generation });
          else {
            if (one.kind !== "late") newest += 1;
            const of = one.kind === "late" ? Math.max(newest - 3, 1) : newest;
            const envelope = one.kind === "delete" ? tombstone(`r${one.id}`, of) : row(`r${one.id}`, of);
            await store.writeRows(name, [inGeneration(one.into, envelope)], null);
          }
        }
        await carry(store, name, 1);
        await carry(store, name, 2);
        expect(await changesLeft(database.pool, name, 1)).toBe(0);
        expect(await versions(1)).toEqual(await versions(2));
      }),
      { numRuns: 30 },
    );
  });

  test("what is taken and not finished is taken again, and a row that changed meanwhile waits anew", async () => {
    const { name, store, to } = await begun("leased", [row("a", 1)]);
    await noteRows(database.pool, to);
    const first = await store.takeChanges(name, 2);
    expect(first).toMatchObject({ ids: ["a"], tries: 1 });
    expect(await store.takeChanges(name, 2)).toBeNull();
    const waiting = (since: Waiting["newest"]) => readWaitingChanges(database.pool, to, since);
    const { newest } = await waiting(null);
    await store.writeRows(name, [{ ...row("a", 2), generation: 1 }], null);
    expect(await waiting(newest)).toMatchObject({ left: 2, older: 1 });
    const second = await store.takeChanges(name, 2);
    expect(second?.ids).toEqual(["a"]);
    await database.pool.query(
      "update medley_internal.generation_change set leased_until = now() - interval '1 second'",
    );
    expect(await store.takeChanges(name, 2)).toMatchObject({ ids: ["a"], tries: 2 });
    await store.finishChanges(first as NonNullable<typeof first>);
    expect(await waiting(newest)).toMatchObject({ left: 1, older: 0 });
    await store.finishChanges(second as NonNullable<typeof second>);
    expect(await changesLeft(database.pool, name, 2)).toBe(0);
  });

  test("a row that waits is not carried while it is written anew: it would be as it was before", async (context) => {
    context.skip(database.embedded, "the embedded engine has one session");
    const { name, store, to } = await begun("overtaken", [row("a", 1), row("b", 1)]);
    await noteRows(database.pool, to);
    const writer = await database.pool.connect();
    await writer.query("begin; update medley_internal.overtaken_g1 set version = 2 where id = 'a'");
    const changes = await store.takeChanges(name, 2);
    expect(changes?.ids).toEqual(["b"]);
    await writer.query("commit");
    writer.release();
    expect((await store.takeChanges(name, 2))?.ids).toEqual(["a"]);
  });

  test("gates tell rows that are missing, segments that differ, and what searches find", async () => {
    const { name, store, to } = await begun("gated", [row("a", 1), row("b", 1), row("c", 1)]);
    await noteRows(database.pool, to);
    const pair = { collection: name, live: 1, next: 2 };
    expect(await missingRows(database.pool, pair), "all of them wait").toBe(0);
    const changes = await store.takeChanges(name, 2);
    const wrong = { ...inGeneration(2, row("b", 1)), vector: Float16Array.from([1, 0, 1, 0, 0, 1]) };
    await store.carryRows(name, [inGeneration(2, row("a", 1)), wrong]);
    await store.finishChanges(changes as NonNullable<typeof changes>);
    expect(await missingRows(database.pool, pair)).toBe(1);
    const ids = await sampledIds(database.pool, pair, 10);
    expect(ids.toSorted()).toEqual(["a", "b"]);
    const segments = [{ space: "genres", from: 2, to: 2, dimensions: 3 }];
    expect(await differingSegments(database.pool, pair, { segments, ids })).toEqual({ genres: 1 });
    expect(await trySearches(database.pool, to, ids)).toMatchObject({ recall: 1 });
  });

  test("of a pair one can be dropped: what was encoded for it is refused, and the other lives on alone", async () => {
    const { name, store, before, begin, to } = await begun("ended", [row("a", 1)]);
    await noteRows(database.pool, to);
    expect(await begin(), "the same again goes on").toBe(2);
    await expect(begin(["title"])).rejects.toThrow(/being built of another configuration/);
    await carry(store, name, 2);
    await expect(dropGeneration(database.pool, { ...to, generation: 1 })).rejects.toThrow(
      /no generation 1 that could/,
    );
    expect(await switched(to)).toBe(true);
    expect(await dropGeneration(database.pool, { ...to, generation: 1 })).toBe(true);
    for (const late of [before, store]) {
      const gone = { code: "generation_gone" };
      await expect(late.writeRows(name, [row("a", 9)], null)).rejects.toMatchObject(gone);
      await expect(late.carryRows(name, [row("a", 9)])).rejects.toMatchObject(gone);
      await expect(late.readSegments(name, ["a"], 1)).rejects.toMatchObject(gone);
    }
    store.closeGeneration(name, 1);
    await expect(store.writeRows(name, [row("a", 9)], null)).rejects.toMatchObject({
      code: "generation_gone",
    });
    await store.writeRows(name, [inGeneration(2, row("b", 9))], null);
    const { rows } = await database.pool.query(
      "select count(*)::int as waiting from medley_internal.generation_change where collection = $1",
      [name],
    );
    expect(rows).toEqual([{ waiting: 0 }]);
    expect(await planMigration(database.pool, [layoutOf(name, 2)])).toEqual([]);
    await expect(planMigration(database.pool, [layoutOf(name, 1)])).rejects.toMatchObject({
      code: "schema_conflict",
      mend: expect.stringContaining("medley plan"),
    });
  });

  test("a number is given once, so that what was encoded for a generation that has ended is none of the next one's", async () => {
    const { name, store, begin, to } = await begun("numbered", [row("a", 1)]);
    await dropGeneration(database.pool, to);
    expect(await begin()).toBe(3);
    const late = inGeneration(2, row("a", 2));
    await expect(store.writeRows(name, [late], null)).rejects.toMatchObject({ code: "generation_gone" });
    const { rows } = await database.pool.query("select id from medley_internal.numbered_g3");
    expect(rows).toEqual([]);
  });

  test("where a search or a write is under way, an end waits a moment, and leaves no note behind", async (context) => {
    context.skip(database.embedded, "the embedded engine has one session");
    const { name, to } = await begun("busy", [row("a", 1)]);
    const { pool } = database;
    const busy = await pool.connect();
    await busy.query("begin; select * from medley.busy");
    expect(await dropGeneration(pool, to)).toBe(false);
    await busy.query("update medley_internal.busy_g1 set version = 2");
    const ending = dropGeneration(pool, to);
    await busy.query("select pg_sleep(.1); commit");
    busy.release();
    expect(await ending).toBe(true);
    expect(await changesLeft(pool, name, 2)).toBe(0);
    await expect(noteRows(pool, to), "for ever the same rows").rejects.toThrow(/has no generation 2/);
  });

  test("a change waits until a migration is through, whose grants are of all tables", async (context) => {
    context.skip(database.embedded, "the embedded engine has one session");
    const { to } = await begun("migrated", [row("a", 1)]);
    const migrating = await database.pool.connect();
    await migrating.query(`begin; select pg_advisory_xact_lock(${migrationLock})`);
    const dropping = dropGeneration(database.pool, to);
    expect(await Promise.race([dropping, sleep(200, "waits")])).toBe("waits");
    await migrating.query("commit");
    migrating.release();
    expect(await dropping).toBe(true);
  });

  test("a write asks nothing before it, also while there are two", async () => {
    const { name, store } = await begun("counted", [row("a", 1)]);
    const statements: string[] = [];
    const query = vi.spyOn(database.pool, "query");
    await store.writeRows(name, [{ ...row("a", 2), generation: 1 }], null);
    await store.carryRows(name, [inGeneration(2, row("a", 2))]);
    for (const [asked] of query.mock.calls as unknown as [string | { text: string }][])
      statements.push(typeof asked === "string" ? asked : asked.text);
    query.mockRestore();
    expect(statements.map((text) => /into (\S+) as row/.exec(text)?.[1])).toEqual([
      'medley_internal."counted_g1"',
      'medley_internal."counted_g2"',
    ]);
  });

  test("a table that is lacking is no generation that is gone", async () => {
    const { name, store } = await begun("lacking", [row("a", 1)]);
    const { pool } = database;
    await pool.query("alter table medley_internal.lacking_g1 rename to lacking_elsewhere");
    await expect(store.writeRows(name, [row("a", 2)], null)).rejects.toMatchObject({ code: "schema_behind" });
    await pool.query("alter table medley_internal.lacking_elsewhere rename to lacking_g1");
  });

  test("while there are two, both configurations are served, and none may change", async () => {
    const { name } = await begun("two", [row("a", 1)]);
    for (const generation of [1, 2] as const) {
      const layout = layoutOf(name, generation);
      expect(await planMigration(database.pool, [layout])).toEqual([]);
      const store = await openPostgresStore({ pool: database.pool, collections: [layout] });
      expect(store.servedGeneration(name)).toBe(generation);
    }
    const weighed = layoutOf(name, 1);
    const other = { ...weighed, collection: { ...weighed.collection, weights: { year: 2, genres: 1 } } };
    await expect(planMigration(database.pool, [other])).rejects.toMatchObject({
      code: "schema_conflict",
      mend: expect.stringContaining("medley apply --finish"),
    });
  });

  test("a user's profile is of the live rows at once, also before it is made anew", async () => {
    const profiles = { profiles: { events: { like: 1 }, halfLifeDays: 10, eventsMax: 5 } };
    const { name, store, to } = await begun("liked", [row("a", 1)], profiles);
    await noteRows(database.pool, to);
    await carry(store, name, 2);
    const event: UserEvent = {
      ...{ user: "ann", eventId: "e", item: "a", kind: "like", atMs: 0 },
      version: version(1n),
    };
    await store.writeEvents(name, [event]);
    const profile = async () =>
      (await database.pool.query("select medley_internal.profile_of($1, 'ann')::text as profile", [name]))
        .rows[0].profile;
    expect(await profile()).toBe("[0,1,0,1,0]");
    expect(await switched(to)).toBe(true);
    expect(await profile()).toBe("[1,0,0,1,0,1]");
    await rebuildProfiles(database.pool, name, {
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    expect(await profile()).toBe("[1,0,0,1,0,1]");
    expect(await switched({ ...to, generation: 1 })).toBe(true);
    expect(await profile()).toBe("[0,1,0,1,0]");
  });

  test("a view of the rows that was made before generations keeps its grants when it is made anew", async () => {
    const { name, store, to } = await begun("older", [row("a", 1)]);
    const { pool } = database;
    await pool.query(`drop view medley.older;
create view medley.older as select id, version, indexed_at, embedding, year, genres from medley_internal.older_g1 where deleted_at is null;
create role reader_of_older; grant select on medley.older to reader_of_older with grant option; grant select (year) on medley.older to public;
comment on view medley.older is 'shows'; alter view medley.older set (security_barrier = true); create table medley.older_before ()`);
    await noteRows(pool, to);
    await carry(store, name, 2);
    expect(await switched(to)).toBe(true);
    const { rows } =
      await pool.query(`select has_table_privilege('reader_of_older', oid, 'select with grant option') as may,
  (select count(*)::int from medley.older) as n, obj_description(oid) as comment, reloptions::text as options, (
    select attacl::text like '{=r/%' from pg_attribute where attrelid = pg_class.oid and attname = 'year') as public
from pg_class where oid = 'medley.older'::regclass`);
    await pool.query(
      "drop owned by reader_of_older; drop role reader_of_older; drop table medley.older_before",
    );
    const options = "{security_barrier=true}";
    expect(rows).toEqual([{ may: true, n: 1, comment: "shows", options, public: true }]);
  });
}
