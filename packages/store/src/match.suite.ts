import { type Collection, checkConfig } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { migrate } from "./migrations/migrate.ts";
import { openStore, type TestDatabase, upsert } from "./test-database.fixture.ts";

/** A space of 3 dimensions and two of 2. */
function documentsLayout() {
  const fields = { title: "text", body: "text", year: "number", shelf: "number" };
  const number = { encoder: "number", range: [0, 100], prefer: "high" };
  const spaces = {
    year: { ...number, field: "year" },
    body: { encoder: "text", field: ["title", "body"] },
    shelf: { ...number, field: "shelf", weight: 3 },
  };
  const [collection] = checkConfig({ collections: { documents: { fields, spaces } } }) as [Collection];
  const layout = [
    { space: "year", offset: 0, dimensions: 2, encoderIdentity: "year" },
    { space: "body", offset: 2, dimensions: 3, encoderIdentity: "body" },
    { space: "shelf", offset: 5, dimensions: 2, encoderIdentity: "shelf" },
  ];
  return { collection, layout };
}

const rows = [
  upsert("a", 1, { title: "A", body: "first", year: 0, shelf: 0 }, [0, 1, 1, 0, 0, 0, 1]),
  upsert("b", 1, { title: null, body: "second", year: 100, shelf: 0 }, [1, 0, 0.6, 0.8, 0, 0, 1]),
  upsert("c", 1, { title: null, body: null, year: 100, shelf: 100 }, [1, 0, 0, 0, 0, 1, 0]),
  upsert("d", 1, { title: "D", body: "fourth", year: 0, shelf: 0 }, [0, 1, -1, 0, 0, 0, 1]),
];

interface Match {
  readonly id: string;
  readonly content: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly embedding: readonly number[];
  readonly similarity: number;
}

/** The function that every collection has for clients of Supabase. */
export function describeMatch(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
    const store = await openStore(database, documentsLayout());
    await store.writeRows("documents", rows, null);
  });
  afterAll(() => database.close());

  const match = async (given: string, ...values: unknown[]) =>
    (await database.pool.query<Match>(`select * from medley.match_documents(${given})`, values)).rows;

  test("as Supabase's users write it: a segment of one space, a threshold that is not reached but passed, a count", async () => {
    expect(await match("$1, $2, $3", "[2,0,0]", 0, 10)).toEqual([
      {
        id: "a",
        content: "A\nfirst",
        metadata: { title: "A", body: "first", year: 0, shelf: 0 },
        embedding: [1, 0, 0],
        similarity: 1,
      },
      {
        id: "b",
        content: "second",
        metadata: { title: null, body: "second", year: 100, shelf: 0 },
        embedding: [expect.closeTo(0.6, 3), expect.closeTo(0.8, 3), 0],
        similarity: expect.closeTo(0.6, 3),
      },
    ]);
    expect((await match("$1, $2, $3", "[2,0,0]", -2, 10)).map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
    expect((await match("$1, $2, $3", "[2,0,0]", -2, 1)).map(({ id }) => id)).toEqual(["a"]);
  });

  test("as LangChain calls it: by name, without a threshold, with a filter of metadata", async () => {
    const named = "filter => $1, match_count => $2, query_embedding => $3";
    expect((await match(named, {}, 3, "[1,0,0]")).map(({ id }) => id)).toEqual(["a", "b", "c"]);
    expect(await match(named, { year: 100 }, 3, "[1,0,0]")).toMatchObject([
      { id: "b" },
      { id: "c", content: null, similarity: 0 },
    ]);
  });

  test("a whole query of medley.query: its order, and the mean of its spaces' cosines by weight", async () => {
    const query = `medley.query('documents', '{"year": 100, "body": [1, 0, 0], "shelf": "low"}', '{"body": 2}')`;
    const found = await match(`${query}, match_count => 4`);
    const { rows: hits } = await database.pool.query(
      `select id, score from medley.search('documents', ${query}, 4) order by score desc, id`,
    );
    expect(found.map(({ id }) => id)).toEqual(hits.map(({ id }) => id));
    for (const [at, { similarity }] of found.entries()) {
      expect(similarity).toBeCloseTo(hits[at].score / (1 + 2 + 3), 6);
    }
    expect(found[0]?.embedding).toHaveLength(7);
  });

  test.for([
    ["[1,0]", /2 dimensions, which fits 2 spaces.*body \(3\)/],
    ["[1,0,0,0]", /4 dimensions, which fits 0 spaces/],
    [null, /no dimensions/],
    ["[0,0,0]", /length 0/],
  ] as const)(
    "a query embedding that says nothing of one space or of all is refused: %s",
    async ([given, said]) => {
      const refused = await match("$1", given).catch((error) => `${error.message} ${error.hint}`);
      expect(refused).toMatch(said);
    },
  );

  test("a collection from before there was such a function gets it by migrating", async () => {
    await database.pool.query("drop function medley.match_documents");
    const collections = [documentsLayout()];
    expect(await migrate(database.pool, collections)).toEqual(["collection documents: match_documents"]);
    expect(await migrate(database.pool, collections)).toEqual([]);
    expect(await match("$1", "[1,0,0]")).toHaveLength(4);
  });
}
