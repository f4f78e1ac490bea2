import type { DeadLetter, DeadLetterWhere } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgresStore, type PostgresStore } from "./postgres-store.ts";
import { filmsLayout, openStore, type TestDatabase } from "./test-database.fixture.ts";

const letter: DeadLetter = {
  collection: "found",
  recordId: "jaws",
  version: 2n ** 60n,
  stage: "embed",
  code: "encoder_failed",
  reason: "no such category",
  payload: Buffer.from("{}"),
  source: "films.csv:1",
  runId: null,
  attempt: 1,
  trace: null,
};

/** Finding, paging, counting and marking dead letters. */
export function describeDeadLetters(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  const sources = async (where: DeadLetterWhere, page: object = {}) =>
    (await store.listDeadLetters({ where: { collection: "found", ...where }, limit: 10, ...page })).map(
      ({ source }) => source,
    );

  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"));
    await store.addDeadLetters([
      { ...letter, source: "films.csv:1", code: "record_invalid", stage: "produce", version: null },
      { ...letter, source: "films.csv:2", runId: "run-9", version: 7n },
      { ...letter, source: "films_csv:3", recordId: null, attempt: 41 },
      { ...letter, source: "http:4", stage: "index", trace: "00-aa-bb-01" },
    ]);
    const [newest] = await store.listDeadLetters({ where: { collection: "found" }, limit: 1 });
    await store.markReplayed([newest as NonNullable<typeof newest>]);
  });
  afterAll(() => database.close());

  test.for([
    [{}, ["http:4", "films_csv:3", "films.csv:2", "films.csv:1"]],
    [{ code: "record_invalid" }, ["films.csv:1"]],
    [{ code: { ne: "record_invalid" }, stage: "embed" }, ["films_csv:3", "films.csv:2"]],
    [
      { code: { in: ["record_invalid", "encoder_failed"] }, attempt: 1, replayedAt: null },
      ["films.csv:2", "films.csv:1"],
    ],
    [{ source: { like: "films.csv%" } }, ["films.csv:2", "films.csv:1"]],
    [{ source: { like: "films\\_csv%" } }, ["films_csv:3"]],
    [{ runId: "run-9" }, ["films.csv:2"]],
    [{ runId: { null: false } }, ["films.csv:2"]],
    [{ runId: { ne: "run-9" } }, ["http:4", "films_csv:3", "films.csv:1"]],
    [{ recordId: null }, ["films_csv:3"]],
    [{ version: { gte: 2n ** 60n } }, ["http:4", "films_csv:3"]],
    [{ version: { in: [7, String(2n ** 60n)] } }, ["http:4", "films_csv:3", "films.csv:2"]],
    [{ attempt: { gt: 8 } }, ["films_csv:3"]],
    [{ trace: "00-aa-bb-01" }, ["http:4"]],
    [
      { failures: { lt: 2 }, deadLetterId: { gte: 1 } },
      ["http:4", "films_csv:3", "films.csv:2", "films.csv:1"],
    ],
    [{ replayedAt: { null: false } }, ["http:4"]],
    [
      { createdAt: { gte: "2026-01-01", lt: "2200-01-01" } },
      ["http:4", "films_csv:3", "films.csv:2", "films.csv:1"],
    ],
    [{ createdAt: { lt: "2026-01-01T00:00:00Z" } }, []],
    [{ code: "' or true --" }, []],
  ] as const satisfies readonly (readonly [DeadLetterWhere, readonly string[]])[])(
    "%o finds %j",
    async ([where, found]) => {
      expect(await sources(where)).toEqual(found);
    },
  );

  test("a filter that can't be used is refused before Postgres sees it", async () => {
    const where = { payload: "x" } as DeadLetterWhere;
    await expect(store.listDeadLetters({ where, limit: 1 })).rejects.toMatchObject({ code: "query_invalid" });
    await expect(store.countDeadLetters(where)).rejects.toMatchObject({ code: "query_invalid" });
  });

  test("pages in both orders meet every letter once, though letters are replayed and come in between", async () => {
    const met: string[] = [];
    let after = 0;
    for (;;) {
      const page = await store.listDeadLetters({
        where: { collection: "found", replayedAt: null },
        oldestFirst: true,
        after,
        limit: 2,
      });
      if (page.length === 0) break;
      met.push(...page.map(({ source }) => source));
      after = page.at(-1)?.deadLetterId ?? 0;
      await store.addDeadLetters([{ ...letter, source: "films.csv:2", runId: "run-9", version: 7n }]);
    }
    expect(met).toEqual(["films.csv:1", "films.csv:2", "films_csv:3"]);
    const [first] = await store.listDeadLetters({ where: { collection: "found" }, limit: 1 });
    expect(await sources({}, { after: first?.deadLetterId, limit: 2 })).toEqual([
      "films_csv:3",
      "films.csv:2",
    ]);
  });

  test("letters are counted by collection and code, most first", async () => {
    const newest = (await store.listDeadLetters({ where: { collection: "found" }, limit: 1 }))[0]
      ?.deadLetterId;
    expect(await store.countDeadLetters({ collection: "found" })).toEqual([
      { collection: "found", code: "encoder_failed", count: 3, lastDeadLetterId: newest },
      { collection: "found", code: "record_invalid", count: 1, lastDeadLetterId: expect.any(Number) },
    ]);
    expect(await store.countDeadLetters({ collection: "nowhere" })).toEqual([]);
  });

  test("many are marked at once, those that failed again since are not", async () => {
    const of = (source: string) => ({ ...letter, collection: "marked", source });
    await store.addDeadLetters([of("1"), of("2"), of("3")]);
    const read = await store.listDeadLetters({ where: { collection: "marked" }, limit: 3 });
    await store.addDeadLetters([of("2")]);
    await store.markReplayed(read);
    const open = await store.listDeadLetters({ where: { collection: "marked", replayedAt: null }, limit: 3 });
    expect(open.map(({ source }) => source)).toEqual(["2"]);
    await store.markReplayed([]);
  });

  test("what was rejected at the door is one letter however often its file is read, with the last reading's version", async () => {
    const rejected = { ...letter, collection: "rejected", stage: "produce" } as const;
    await store.addDeadLetters([{ ...rejected, version: 5n }]);
    await store.addDeadLetters([{ ...rejected, version: 9n, reason: "still" }]);
    const letters = await store.listDeadLetters({ where: { collection: "rejected" }, limit: 2 });
    expect(letters).toMatchObject([{ version: 9n, failures: 2, reason: "still" }]);
  });

  test("nothing is stored that was not told before; what is told and not stored comes again", async () => {
    const told: string[] = [];
    let fails = true;
    const beforeDeadLetters = async (letters: readonly DeadLetter[]) => {
      told.push(...letters.map(({ source }) => source));
      if (fails) throw new Error("the topic is away");
    };
    const { pool } = database;
    const telling = await openPostgresStore({ pool, collections: [filmsLayout("films")], beforeDeadLetters });
    const one = { ...letter, collection: "told" };
    await expect(telling.addDeadLetters([one])).rejects.toThrow("the topic is away");
    expect(await store.listDeadLetters({ where: { collection: "told" }, limit: 1 })).toEqual([]);
    fails = false;
    await telling.addDeadLetters([one]);
    expect(told).toEqual(["films.csv:1", "films.csv:1"]);
    expect(await store.listDeadLetters({ where: { collection: "told" }, limit: 1 })).toMatchObject([
      { failures: 1 },
    ]);
  });
}
