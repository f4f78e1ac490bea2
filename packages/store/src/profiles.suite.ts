import { type Collection, checkConfig, type UserEvent, version } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresStore } from "./postgres-store.ts";
import { rebuildProfiles } from "./profiles.ts";
import { openStore, type TestDatabase, tombstone, upsert } from "./test-database.fixture.ts";

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 0, 1);
const weights = { view: 1, like: 3, dislike: -2 };
const halfLifeDays = 10;
const eventsMax = 6;
const genres = ["Comedy", "Drama", "Horror"];

function layout(profiles: object | null = { events: weights, halfLifeDays, eventsMax }) {
  const [collection] = checkConfig({
    collections: {
      films: {
        fields: { year: "number", genres: "categories" },
        spaces: {
          year: { encoder: "number", field: "year", range: [1900, 2030] },
          genres: { encoder: "category", field: "genres", values: genres },
        },
        ...(profiles === null ? {} : { profiles }),
      },
    },
  }) as [Collection];
  return {
    collection,
    layout: [
      { space: "year", offset: 0, dimensions: 2, encoderIdentity: "year-encoder" },
      { space: "genres", offset: 2, dimensions: 3, encoderIdentity: "genres-encoder" },
    ],
  };
}

/** Of unit length per space; the second has no genres. */
const items: Readonly<Record<string, readonly number[]>> = {
  heat: [0.8, 0.6, 0, 1, 0],
  bare: [1, 0, 0, 0, 0],
  alien: [0.6, 0.8, 0, 0, 1],
  airplane: [0, 1, 1, 0, 0],
};

let made = 0;
function event(given: Partial<UserEvent> & Pick<UserEvent, "user">): UserEvent {
  made += 1;
  const { user, eventId = `e${made}`, item = "heat", kind = "like", atMs = nowMs } = given;
  return { user, eventId, item, kind, atMs, version: given.version ?? version(BigInt(made)) };
}

/** The definition, as plainly as it can be written. */
function plainProfile(events: readonly UserEvent[]): number[] | null {
  const latest = events.toSorted((a, b) => b.atMs - a.atMs || (a.eventId < b.eventId ? 1 : -1));
  const counting = latest.slice(0, eventsMax).filter(({ item }) => items[item] !== undefined);
  if (counting.length === 0) return null;
  const total = [0, 0, 0, 0, 0];
  const newestMs = counting[0]?.atMs as number;
  let size = 0;
  for (const { item, kind, atMs } of counting) {
    const count = weights[kind as keyof typeof weights] * 2 ** ((atMs - newestMs) / dayMs / halfLifeDays);
    size += Math.abs(count);
    for (const [at, x] of (items[item] as number[]).entries()) total[at] = (total[at] as number) + count * x;
  }
  const unit = (segment: number[]) => {
    const length = Math.hypot(...segment);
    return segment.map((x) => (length < 1e-6 * size ? 0 : x / length));
  };
  return [...unit(total.slice(0, 2)), ...unit(total.slice(2))];
}

/** Profiles: the SQL functions, and what the store makes of them. */
export function describeProfiles(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, layout());
    const rows = Object.entries(items).map(([id, vector]) => upsert(id, 1, {}, [...vector]));
    await store.writeRows("films", rows, null);
  });
  afterAll(() => database.close());

  const write = (...events: UserEvent[]) => store.writeEvents("films", events);
  const profileOf = async (user: string): Promise<number[] | null> => {
    const { rows } = await database.pool.query(
      "select embedding::real[] as embedding, event_count from medley_internal.profiles where user_id = $1",
      [user],
    );
    return rows[0]?.embedding ?? null;
  };
  const expectProfile = async (user: string, expected: number[] | null) => {
    const profile = await profileOf(user);
    if (expected === null) expect(profile).toBe(null);
    else {
      expect(profile).not.toBe(null);
      for (const [at, x] of expected.entries()) expect(profile?.[at]).toBeCloseTo(x, 2);
    }
  };

  const kinds = Object.keys(weights);
  const history = fc.uniqueArray(
    fc.record({
      eventId: fc.integer({ min: 0, max: 20 }).map((n) => `h${n}`),
      item: fc.constantFrom("heat", "bare", "alien", "airplane", "unknown"),
      kind: fc.constantFrom(...kinds),
      // Among them the same times, and very old ones.
      atMs: fc.oneof(
        fc.integer({ min: 0, max: 6 }).map((days) => nowMs - days * 5 * dayMs),
        fc.integer({ min: 1, max: 30 }).map((years) => nowMs - years * 365 * dayMs),
      ),
    }),
    { selector: ({ eventId }) => eventId, maxLength: 12 },
  );

  test("whatever the order, the packets and the repeats, the profile is that of the latest events", async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(history, fc.infiniteStream(fc.nat()), async (drafts, chance) => {
        run += 1;
        const next = () => chance.next().value as number;
        const [one, other] = [`a${run}`, `b${run}`];
        const events = drafts.map((draft, n) => event({ ...draft, user: one, version: version(BigInt(n)) }));
        if (events.length > 0) await write(...events);
        // In another order, each up to three times, a few at once.
        const again = events
          .flatMap((each) => Array.from({ length: 1 + (next() % 3) }, () => ({ ...each, user: other })))
          .map((each) => ({ each, place: next() }))
          .toSorted((a, b) => a.place - b.place)
          .map(({ each }) => each);
        for (let start = 0; start < again.length; ) {
          const count = 1 + (next() % 4);
          await write(...again.slice(start, start + count));
          start += count;
        }
        expect(await profileOf(other)).toEqual(await profileOf(one));
        await expectProfile(one, plainProfile(events));
      }),
      { numRuns: 40 },
    );
  });

  test("old tastes fade: after some half-lives a new one stands alone", async () => {
    const old = Array.from({ length: 5 }, () =>
      event({ user: "fading", item: "alien", atMs: nowMs - 100 * dayMs }),
    );
    await write(...old, event({ user: "fading", item: "airplane", kind: "view" }));
    const [, , comedy, , horror] = (await profileOf("fading")) as number[];
    expect(comedy).toBeGreaterThan(0.99);
    expect(horror).toBeGreaterThan(0);
  });

  test("likes and dislikes that cancel each other leave nothing, not rounding", async () => {
    await write(
      ...[1, 2, 3].map((n) => event({ user: "torn", kind: "dislike", atMs: nowMs - n })),
      ...[1, 2].map((n) => event({ user: "torn", kind: "like", atMs: nowMs - n })),
    );
    const profile = (await profileOf("torn")) as number[];
    // A millisecond of decay is all that is left: less than half of half precision.
    expect(profile).toEqual([0, 0, 0, 0, 0]);
  });

  test("an event of an unknown record counts once there is one, a deleted record's no more", async () => {
    const first = event({ user: "waiting", item: "later" });
    expect(await write(first)).toEqual(["indexed"]);
    expect(await profileOf("waiting")).toBe(null);
    await store.writeRows("films", [upsert("later", 1, {}, [0, 1, 1, 0, 0])], null);
    await write(first);
    expect(await profileOf("waiting")).toEqual([0, 1, 1, 0, 0]);
    await store.writeRows("films", [tombstone("later", 2)], null);
    const rebuilt = await rebuildProfiles(database.pool, "films", {
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    expect(rebuilt).toBeGreaterThan(2);
    expect(await profileOf("waiting")).toBe(null);
  });

  test("only the latest events are kept; what comes too late is superseded, also when it comes again", async () => {
    const events = Array.from({ length: eventsMax + 3 }, (_, n) =>
      event({ user: "busy", item: n < 3 ? "alien" : "heat", atMs: nowMs + n }),
    );
    const [late, ...others] = events as [UserEvent, ...UserEvent[]];
    await write(...others);
    expect(await write(late, late)).toEqual(["superseded", "superseded"]);
    expect(await write(events.at(-1) as UserEvent)).toEqual(["indexed"]);
    await expectProfile("busy", items.heat as number[]);
    const { rows } = await database.pool.query(
      "select event_count from medley_internal.profiles where user_id = 'busy'",
    );
    expect(rows).toEqual([{ event_count: eventsMax }]);
  });

  test("of one id the event of the higher version is right, whichever comes last", async () => {
    const old = event({ user: "corrected", eventId: "c", item: "alien", version: version(1n) });
    const mended = { ...old, item: "airplane", version: version(2n) };
    await write(mended);
    await write(old);
    expect(await profileOf("corrected")).toEqual([0, 1, 1, 0, 0]);
  });

  test("a forgotten user's events are gone and stay away; new ones begin anew", async () => {
    const known = event({ user: "gone", atMs: nowMs, version: version(100n) });
    await write(known, event({ user: "stays", item: "airplane" }));
    const letter = (user: string, op: string) => ({
      ...{
        collection: "films",
        recordId: user,
        version: null,
        stage: "produce" as const,
        code: "record_invalid",
      },
      ...{ reason: "", source: `${user}-${op}`, runId: null, attempt: 1, trace: null },
      payload: Buffer.from(JSON.stringify({ _op: op, user })),
    });
    await store.addDeadLetters([letter("gone", "event"), letter("gone", "upsert"), letter("stays", "event")]);
    const forgotten = { atMs: nowMs + 1_000, version: version(200n) };
    expect(await store.forgetUser("films", "gone", forgotten)).toBe(1);
    expect(await store.forgetUser("films", "gone", { atMs: 0, version: version(0n) })).toBe(0);
    const left = await store.listDeadLetters({ limit: 10 });
    expect(left.map(({ source }) => source).toSorted()).toEqual(["gone-upsert", "stays-event"]);

    const sameTime = { ...known, eventId: "again", atMs: nowMs + 1_000, version: version(300n) };
    const sameArrival = { ...known, eventId: "ahead", atMs: nowMs + 2_000, version: version(200n) };
    expect(await write(known, sameTime, sameArrival)).toEqual(["tombstoned", "tombstoned", "tombstoned"]);
    expect(await profileOf("gone")).toBe(null);
    expect(await profileOf("stays")).not.toBe(null);
    const { rows } = await database.pool.query(
      "select count(*)::int from medley_internal.profile_events where user_id = 'gone'",
    );
    expect(rows).toEqual([{ count: 0 }]);
    const anew = { ...known, eventId: "anew", item: "airplane", atMs: nowMs + 2_000, version: version(300n) };
    expect(await write(anew)).toEqual(["indexed"]);
    expect(await profileOf("gone")).toEqual([0, 1, 1, 0, 0]);
  });

  test("a search for a user: the profile stands in for parts not given, weights apply, seen ones are left out", async () => {
    await write(event({ user: "fan", item: "airplane" }));
    const ids = async (asked: object) =>
      (await store.search({ collection: "films", for: "fan", ...asked })).map(({ id }) => id);
    expect((await ids({}))[0]).toBe("airplane");
    expect(await ids({ excludeSeen: true })).not.toContain("airplane");
    expect(await ids({ excludeSeen: true, filter: { id: "alien" } })).toEqual(["alien"]);
    expect(await ids({ excludeSeen: true, filter: { id: { in: ["alien", "airplane"] } } })).toEqual([
      "alien",
    ]);
    expect((await ids({ parts: { genres: "Horror" } }))[0]).toBe("alien");
    expect((await ids({ parts: { genres: null } }))[0]).toBe("airplane");
    expect((await ids({ weights: { year: 0, genres: -1 } }))[0]).not.toBe("airplane");
    const [best] = await store.search({ collection: "films", for: "fan" });
    expect(best?.score).toBeCloseTo(2, 2);
    const { rows } = await database.pool.query(
      "select id from medley.search_for('films', 'fan', 2, exclude_seen => true, weights => '{\"year\": 0}')",
    );
    expect(rows).toHaveLength(2);
    expect(rows).not.toContainEqual({ id: "airplane" });
  });

  test("a search for a user has the weights that were learned for its class", async () => {
    const { pool } = database;
    const classes = JSON.stringify({ mood: { genres: -2 } });
    await pool.query("update medley_internal.collections set classes = $1 where name = 'films'", [classes]);
    await write(event({ user: "classed", item: "heat" }));
    const found = async (how: string) => {
      const text = `select id, score, medley.query_for('films', 'classed', ${how})::text as query
from medley.search_for('films', 'classed', ${how}) order by score desc, id`;
      return (await pool.query(text)).rows;
    };
    const classed = await found("class => 'mood'");
    expect(classed).toEqual(await found(`weights => '{"genres": -2}'`));
    expect(classed).not.toEqual(await found("weights => null"));
    await pool.query("update medley_internal.collections set classes = '{}' where name = 'films'");
  });

  test("a user without a profile: the parts decide, and without any the search is refused", async () => {
    const asked = { collection: "films", parts: { genres: "Horror" } };
    expect(await store.search({ ...asked, for: "nobody" })).toEqual(await store.search(asked));
    await expect(store.search({ collection: "films", for: "nobody" })).rejects.toMatchObject({
      code: "query_invalid",
      message: 'user "nobody" has no profile in "films", and the search asks for nothing else',
      mend: expect.stringContaining("send events"),
    });
    await expect(store.search({ ...asked, for: "fan", like: "heat" })).rejects.toMatchObject({
      code: "query_invalid",
    });
    await expect(store.search({ ...asked, excludeSeen: true })).rejects.toMatchObject({
      code: "query_invalid",
    });
  });

  test("changed weights take effect with the rebuild; without profiles events are refused", async () => {
    await write(event({ user: "turned", item: "airplane" }));
    const turned = await openStore(database, layout({ events: { like: -1 }, halfLifeDays, eventsMax }));
    expect(await profileOf("turned")).toEqual([0, 1, 1, 0, 0]);
    await rebuildProfiles(database.pool, "films", {
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    expect((await profileOf("turned"))?.map((x) => x + 0)).toEqual([0, -1, -1, 0, 0]);
    const closed = await openStore(database, layout(null));
    await expect(closed.writeEvents("films", [event({ user: "late" })])).rejects.toMatchObject({
      code: "record_invalid",
      message: expect.stringContaining('collection "films" keeps no profiles'),
    });
    await openStore(database, layout());
    expect(turned.pgvector).toBe(store.pgvector);
  });

  test("packets that meet at the same users lose no event", async () => {
    const users = Array.from({ length: 8 }, (_, n) => `meeting${n}`);
    const packets = Array.from({ length: 12 }, (_, packet) =>
      // Each in another order.
      users
        .map((user, place) => ({ user, place: (place * 3 + packet * 5) % users.length }))
        .toSorted((a, b) => a.place - b.place)
        .slice(0, 6)
        .map(({ user }) => event({ user, item: packet % 2 ? "alien" : "airplane", atMs: nowMs - packet })),
    );
    await Promise.all(packets.map((packet) => write(...packet)));
    for (const user of users) {
      const events = packets.flat().filter((each) => each.user === user);
      await expectProfile(user, plainProfile(events));
    }
  });
}
