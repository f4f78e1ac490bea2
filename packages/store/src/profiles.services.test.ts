/** Profiles under indexers that write at once: on a real Postgres, whose row locks the embedded engine has no need of. */
import { type Collection, checkConfig } from "@medley/core";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openServerDatabase, openStore, type TestDatabase, upsert } from "./test-database.fixture.ts";

const serverUrl = process.env.DATABASE_URL;
const writers = 8;
const rounds = 25;
const usersCount = 12;

describe.skipIf(serverUrl === undefined)("on the server at DATABASE_URL", () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
    const [collection] = checkConfig({
      collections: {
        films: {
          fields: { genres: "categories" },
          spaces: { genres: { encoder: "category", field: "genres", values: ["Comedy", "Drama"] } },
          profiles: { events: { like: 1 }, halfLifeDays: 1e4, eventsMax: 1_000 },
        },
      },
    }) as [Collection];
    const layout = [{ space: "genres", offset: 0, dimensions: 2, encoderIdentity: "genres-encoder" }];
    const store = await openStore(database, { collection, layout });
    await store.writeRows("films", [upsert("heat", 1, {}, [0.6, 0.8])], null);
    pool = new pg.Pool({ connectionString: database.connectionString, max: writers });
    // The database is dropped under what is idle.
    pool.on("error", () => {});
  });
  afterAll(async () => {
    await pool.end();
    await database.close();
  });

  /** As the store does, but that nothing is tried again: a deadlock is heard of. */
  const write = (users: readonly string[], ids: readonly string[]) =>
    pool.query(
      `select medley_internal.write_events('films', $1::text[], $2::text[], array_fill('heat'::text, array[cardinality($1::text[])]),
  array_fill('like'::text, array[cardinality($1::text[])]), array_fill(now(), array[cardinality($1::text[])]),
  array_fill(1::bigint, array[cardinality($1::text[])]))`,
      [users, ids],
    );

  test("no event is lost and nobody waits in a circle, whatever users meet in whatever order", async () => {
    for (let round = 0; round < rounds; round++) {
      // Half of them are new in each round.
      const users = Array.from(
        { length: usersCount },
        (_, n) => `u${n < usersCount / 2 ? n : `${n}-${round}`}`,
      );
      await Promise.all(
        Array.from({ length: writers }, (_, writer) => {
          const start = (writer * 5) % usersCount;
          const turned = [...users.slice(start), ...users.slice(0, start)];
          const inOrder = writer % 2 === 0 ? turned : turned.toReversed();
          return write(
            inOrder.slice(0, 9),
            inOrder.slice(0, 9).map(() => `${round}-${writer}`),
          );
        }),
      );
    }
    const { rows } = await database.pool.query(
      `select count(*)::int as profiles, sum(event_count)::int as counted,
  bool_and(event_count = (select count(*) from medley_internal.profile_events as event where event.user_id = profile.user_id)) as equal
from medley_internal.profiles as profile`,
    );
    expect(rows).toEqual([
      { profiles: usersCount / 2 + (rounds * usersCount) / 2, counted: rounds * writers * 9, equal: true },
    ]);
  });

  test("a user who is forgotten while packets come has no event from before", async () => {
    await Promise.all([
      ...Array.from({ length: writers }, (_, writer) => write(["gone", "stays"], [`${writer}`, `${writer}`])),
      pool.query("select medley_internal.forget_user('films', 'gone', now() + interval '1 minute', 1)"),
    ]);
    const { rows } = await database.pool.query(
      `select user_id, event_count, embedding is null as empty from medley_internal.profiles
where user_id in ('gone', 'stays') order by user_id`,
    );
    expect(rows).toEqual([
      { user_id: "gone", event_count: 0, empty: true },
      { user_id: "stays", event_count: writers, empty: false },
    ]);
  });
});
