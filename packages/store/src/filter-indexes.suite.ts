import { Random, type RecordFields } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex, dropIndex } from "./collection-index.ts";
import { writeFilterFields } from "./filter-indexes.ts";
import { readPathIndexes } from "./index-state.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { filmsLayout, openStore, type TestDatabase, upsert } from "./test-database.fixture.ts";

const random = new Random(4);
const letters = ["a", "b", "z", "é", "字", "\u{1F3AC}", " "];
const drawn = (size: number) =>
  Array.from({ length: size }, () => letters[random.below(letters.length)]).join("");
const beginning = drawn(199);
/** Short ones, and such that differ behind the beginning that an index is over. */
const titles = [
  ...Array.from({ length: 60 }, (_, n) => drawn(n % 5)),
  ...["", "a", "b", " z"].map((end) => beginning + end),
  ...Array.from({ length: 10 }, () => beginning + drawn(1 + random.below(3))),
  Array.from({ length: 6_000 }, () => String.fromCodePoint(0x4e00 + random.below(20_000))).join(""),
];

/** Indexes of fields that filters read. */
export function describeFilterIndexes(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  const write = (id: string, fields: RecordFields) =>
    store.writeRows("films", [upsert(id, 1, fields, [1, 0, 0, 0, 1])], null);
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"));
    for (const [n, title] of titles.entries())
      await write(`film-${n}`, {
        title,
        studio: `studio ${n % 7}`,
        year: 1990,
        released: n,
        moods: { [`mood ${n}`]: 1, sad: 1 },
      });
    await write("untitled", { year: 1990 });
  });
  afterAll(() => database.close());

  const filters = (fields: readonly string[]) =>
    writeFilterFields(database.connectionString, "films", fields);
  const indexesOf = async () =>
    (await readPathIndexes(database.pool, "films")).filter(({ forFilters }) => forFilters);
  const found = async (filter: object) => {
    const hits = await store.search({
      collection: "films",
      parts: { year: 1990 },
      k: 100,
      filter: filter as never,
    });
    return hits.map(({ id }) => id).sort();
  };
  const planOf = async (filter: object) => {
    const client = await database.pool.connect();
    try {
      const { rows } = await client.query<{ condition: string }>(
        "select medley_internal.filter_condition(c, $1) as condition from medley_internal.collections as c",
        [filter],
      );
      const { condition: text } = rows[0] as (typeof rows)[0];
      const condition = text.replaceAll("$3", `'${JSON.stringify(filter)}'::jsonb`);
      await client.query("set enable_seqscan = off");
      const plan = await client.query<{ "QUERY PLAN": string }>(
        `explain select from medley_internal.films_g1_rows as row where ${condition}`,
      );
      return plan.rows.map((line) => line["QUERY PLAN"]).join("\n");
    } finally {
      await client.query("reset enable_seqscan");
      client.release();
    }
  };

  test("what a filter finds does not depend on whether its field is listed", async () => {
    const asked = [
      ...titles.slice(0, 12),
      ...titles.slice(60),
      `${beginning}aaaa`,
      [...beginning].slice(0, 198).join(""),
    ];
    const all = asked.flatMap((title) => [
      ...["eq", "ne", "lt", "lte", "gt", "gte"].map((operator) => ({ title: { [operator]: title } })),
      { title: { in: [title, "a"] } },
    ]);
    const before: string[][] = [];
    for (const filter of all) before.push(await found(filter));
    expect(new Set(before.map(({ length }) => length)).size).toBeGreaterThan(10);
    await filters(["title"]);
    for (const [at, filter] of all.entries())
      expect([filter, await found(filter)]).toEqual([filter, before[at]]);
  });

  test("each listed field has an index of its own, which filters read; a text of any length can still be written", async () => {
    await filters(["title", "studio", "released", "moods"]);
    await buildIndex(database.connectionString, "films", { fusedOnly: true });
    expect((await indexesOf()).map(({ space, valid }) => [space, valid])).toEqual(
      ["moods", "released", "studio", "title"].map((field) => [field, true]),
    );
    expect(await planOf({ title: "b" })).toContain("Index Cond: ((\"left\"(title, 200))::text = 'b'::text)");
    // By statistics of beginnings: without them a third of all rows would pass.
    await database.pool.query("analyze medley_internal.films_g1");
    const rare = await planOf({ title: { gte: "\u{1F3AC}\u{1F3AC}\u{1F3AC}\u{1F3AC}\u{1F3AC}" } });
    expect(Number(/rows=(\d+)/.exec(rare)?.[1])).toBeLessThan(titles.length / 10);
    expect(await planOf({ title: drawn(200) })).not.toContain("Index Cond");
    const long = Array.from({ length: 9_000 }, () =>
      String.fromCodePoint(0x4e00 + random.below(20_000)),
    ).join("");
    await write("long", { title: long, year: 1990 });
    expect(await found({ title: { eq: long } })).toEqual(["long"]);
    expect(await found({ title: { gte: long.slice(0, 10), lte: long } })).toContain("long");
  });

  test.for([
    ["title", { title: { in: ["b", "a"] } }],
    ["studio", { studio: "studio 3" }],
    ["released", { released: { gte: 5, lt: 6 } }],
    ["moods", { moods: { all: ["mood 3", "sad"] } }],
    ["sequels", { sequels: { any: ["film-1"] } }],
  ] as const)("a filter on %s is read from its index", async ([field, filter]) => {
    await filters([field]);
    await buildIndex(database.connectionString, "films", { fusedOnly: true });
    const [index] = await indexesOf();
    expect(await planOf(filter)).toMatch(new RegExp(`${index?.name}[^]*Index Cond`));
  });

  test("the list is kept when indexes are dropped, and what is not listed any more has none", async () => {
    await filters(["studio", "title"]);
    await buildIndex(database.connectionString, "films", { fusedOnly: true });
    await filters(["studio"]);
    expect((await indexesOf()).map(({ space, valid }) => [space, valid])).toEqual([["studio", true]]);
    const { rows } = await database.pool.query(
      "select from pg_indexes where tablename = 'films_g1' and indexname like '%\\_filter\\_%'",
    );
    expect(rows).toHaveLength(1);
    await dropIndex(database.connectionString, "films");
    expect((await indexesOf()).map(({ valid }) => valid)).toEqual([null]);
    await filters([]);
    expect(await indexesOf()).toEqual([]);
  });

  test.for([
    ["director", 'collection "films" has no field "director"'],
    ["place", 'field "place" (geo): no index serves its filters'],
    ["face", 'field "face" (vector(3)): no index serves its filters'],
    ["year", 'field "year" is served by the index of space "year"'],
  ])("%s is refused", async ([field, message]) => {
    await expect(filters([field as string])).rejects.toMatchObject({
      ...{ code: "usage", message },
      mend: expect.stringMatching(/^name some of .*studio, .*title/),
    });
  });
}
