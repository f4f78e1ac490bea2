import { type Collection, checkConfig } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex, dropIndex } from "./collection-index.ts";
import { embed, genres } from "./films.fixture.ts";
import type { CollectionLayout } from "./migrations/collection-tables.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { Hit, Search } from "./search.ts";
import { analyzeSearch } from "./search-plans/analyze.ts";
import { openStore, type TestDatabase, upsert } from "./test-database.fixture.ts";

type Asked = Omit<Search, "collection">;

const vocabulary = [
  ...["bank", "robbers", "robbery", "heist", "comedy", "ghost", "ghosts", "running", "detective", "the"],
  ...["train", "of", "storm", "island", "letter", "king"],
];
/** The n-th of endless words, the first ones more often; the same each time. */
const wordAt = (n: number) => vocabulary[Math.floor(vocabulary.length * ((n * 0.618034) % 1) ** 2)] as string;
const wordsAt = (from: number, count: number) => Array.from({ length: count }, (_, at) => wordAt(from + at));

function rowAt(n: number) {
  const year = n % 11 === 0 ? null : 1900 + ((n * 7_919) % 131_000) / 1_000;
  const named = genres.filter((_, index) => (n >> index) % 2 === 1);
  const fields = {
    title: n % 13 === 0 ? null : wordsAt(n * 3, 1 + (n % 3)).join(" "),
    plot: n % 7 === 0 ? null : `${wordsAt(n * 17, 2 + (n % 12)).join(" ")}.`,
    studio: ["Ealing", "Gaumont", "Toho"][n % 3] as string,
    // Names that statements have for something else.
    ...{ words: "no text", term: n },
    ...{ genres: named, year },
  };
  return upsert(`f${String(n).padStart(4, "0")}`, 1, fields, embed(year, named));
}

/** Year (2 dimensions) and genres (3), and two texts. */
function wordedLayout(name: string, texts: object = defaultTexts): CollectionLayout {
  const fields = {
    title: "text",
    plot: "text",
    studio: "category",
    genres: "categories",
    year: "number",
    words: "text",
    term: "number",
  };
  const spaces = {
    year: { encoder: "number", field: "year", range: [1900, 2030] },
    genres: { encoder: "category", field: "genres", values: genres },
  };
  const [collection] = checkConfig({ collections: { [name]: { fields, spaces, texts } } }) as [Collection];
  return {
    collection,
    layout: [
      { space: "year", offset: 0, dimensions: 2, encoderIdentity: "year-encoder" },
      { space: "genres", offset: 2, dimensions: 3, encoderIdentity: "genres-encoder" },
    ],
  };
}

const defaultTexts = {
  words: { fields: { title: "A", plot: "C" }, language: "english" },
  titles: { fields: ["title"], language: "simple", weight: 0.5 },
};

/** By id and text, what Postgres' functions say of a row, as one would write it by hand. */
const ranksSql = `select id,
  case when made.words @@ english then ts_rank_cd(made.words, english, 32) else 0 end as words,
  case when made.titles @@ simple then ts_rank_cd(made.titles, simple, 32) else 0 end as titles
from medley.COLLECTION, lateral (select
  setweight(to_tsvector('english', coalesce(title, '')), 'A') || setweight(to_tsvector('english', coalesce(plot, '')), 'C') as words,
  setweight(to_tsvector('simple', coalesce(title, '')), 'A') as titles,
  websearch_to_tsquery('english', $1) as english, websearch_to_tsquery('simple', $2) as simple) as made`;

/** Words as a term of the score: full-text search beside the vector. */
export function describeTexts(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  const rows = Array.from({ length: 240 }, (_, n) => rowAt(n));
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, wordedLayout("films"), wordedLayout("many"), wordedLayout("next"));
    await store.writeRows("films", rows, null);
  });
  afterAll(() => database.close());

  const search = (asked: Asked, collection = "films") => store.search({ collection, ...asked });
  const idsOf = (hits: readonly Hit[]) => hits.map(({ id }) => id);

  async function ranksOf(words: string, titles: string, collection = "films") {
    const { rows } = await database.pool.query<{ id: string; words: number; titles: number }>(
      ranksSql.replace("COLLECTION", collection),
      [words, titles],
    );
    return new Map(rows.map(({ id, ...ranks }) => [id, ranks]));
  }

  const word = fc.constantFrom(...vocabulary);
  const phrase = fc
    .array(
      fc.tuple(fc.constantFrom("", "-", "or "), word).map(([before, said]) => `${before}${said}`),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((words) => words.join(" "));
  const quoted = fc.tuple(word, word, phrase).map(([a, b, rest]) => `"${a} ${b}" ${rest}`);
  const words = fc.oneof(phrase, quoted);
  const weight = fc.constantFrom(1, 0.3, 4, -1, 0);

  test("a row's term is Postgres' rank times the weight, and the order is that of the sum", async () => {
    await fc.assert(
      fc.asyncProperty(words, words, weight, weight, async (query, titles, first, second) => {
        const parts = { year: 1960, genres: "Drama" };
        const ranks = await ranksOf(query, titles);
        const texts = { words: { query, weight: first }, titles: { query: titles, weight: second } };
        const plain = new Map((await search({ parts, k: 240 })).map((hit) => [hit.id, hit]));
        const hits = await search({ parts, texts, k: 240 });
        expect(hits).toHaveLength(240);
        for (const { id, score, contributions } of hits) {
          const { words, titles } = ranks.get(id) as { words: number; titles: number };
          expect(contributions.words).toBeCloseTo(words * first, 6);
          expect(contributions.titles).toBeCloseTo(titles * second, 6);
          const vectors = (plain.get(id) as Hit).contributions;
          expect(contributions).toMatchObject(vectors);
          const sum = Object.values(contributions).reduce((a, b) => a + b, 0);
          expect(score).toBeCloseTo(sum, 6);
        }
        expect(idsOf(hits)).toEqual(
          hits.toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).map(({ id }) => id),
        );
        expect(await search({ parts, texts, k: 12 })).toEqual(hits.slice(0, 12));
      }),
      { numRuns: 25 },
    );
  });

  test("words alone find the rows that match and no others; without a weight the configured one counts", async () => {
    const ranks = [...(await ranksOf("bank heist", "king"))];
    const matching = ranks.filter(([, { words, titles }]) => words > 0 || titles > 0);
    const expected = matching
      .map(([id, { words, titles }]) => ({ id, score: words + titles * 0.5 }))
      .toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
    expect(expected.length).toBeGreaterThan(5);
    expect(expected.length).toBeLessThan(200);
    const hits = await search({ texts: { words: "bank heist", titles: "king" }, k: 240 });
    expect(idsOf(hits)).toEqual(expected.map(({ id }) => id));
    for (const [at, { score }] of hits.entries()) expect(score).toBeCloseTo(expected[at]?.score as number, 6);
    expect(hits[0]?.contributions).toMatchObject({ year: 0, genres: 0 });
  });

  test("stems meet, and what a row must not have keeps it out, although its other words match", async () => {
    const texts = { words: "robber -ghost" };
    const hits = await search({ texts, k: 240 });
    expect(hits.length).toBeGreaterThan(0);
    for (const { fields } of hits) {
      expect(`${fields.title} ${fields.plot}`).toMatch(/robber/);
      expect(`${fields.title} ${fields.plot}`).not.toMatch(/ghost/);
    }
  });

  test("a word moves a row to the front, and a weight below 0 to the end", async () => {
    const parts = { year: 1960, genres: "Drama" };
    const plain = await search({ parts, k: 240 });
    const { rows: found } = await database.pool.query<{ id: string }>(
      "select id from medley.films where title like '%letter%' order by id",
    );
    const ids = found.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids).not.toContain(plain[0]?.id);
    const title = (query: string, weight: number) => ({ titles: { query, weight } });
    const first = await search({ parts, texts: title("letter", 9), k: ids.length });
    expect(idsOf(first).toSorted()).toEqual(ids);
    const last = await search({ parts, texts: title("letter", -9), k: 240 });
    expect(idsOf(last.slice(-ids.length)).toSorted()).toEqual(ids);
  });

  test("beside a filter, groups, a lowest score, diversity and pages", async () => {
    const parts = { year: 1960 };
    const texts = { words: "ghost or heist" };
    for (const given of [{ parts, texts }, { texts }]) {
      const all = await search({ ...given, k: 240 });
      const filter = { studio: "Toho" };
      expect(idsOf(await search({ ...given, filter, k: 240 }))).toEqual(
        idsOf(all.filter(({ fields }) => fields.studio === "Toho")),
      );
      const border = all[5]?.score as number;
      expect(await search({ ...given, scoreMin: border, k: 240 })).toEqual(
        all.filter(({ score }) => score >= border),
      );
      const grouped = await search({ ...given, perGroup: { field: "studio", max: 2 }, k: 6 });
      const counted = all.filter(
        ({ fields }, at) => all.slice(0, at).filter((hit) => hit.fields.studio === fields.studio).length < 2,
      );
      expect(idsOf(grouped)).toEqual(idsOf(counted));
      expect(await search({ ...given, diversity: 0, k: 7 })).toEqual(all.slice(0, 7));
      const diverse = await search({ ...given, diversity: 0.7, k: 10 });
      expect(diverse[0]).toEqual(all[0]);
      expect(idsOf(diverse)).not.toEqual(idsOf(all.slice(0, 10)));
      const pages: Hit[] = [];
      for (let more = true; more; ) {
        const last = pages.at(-1);
        const page = await search({ ...given, k: 17, ...(last === undefined ? {} : { after: last }) });
        pages.push(...page);
        more = page.length === 17;
      }
      expect(pages).toEqual(all);
    }
  });

  test("for a user of whom nothing is known the words are asked alone, and without words nothing is", async () => {
    const { collection, layout } = wordedLayout("fans");
    const profiles = { events: { like: 1 }, halfLifeDays: 30, eventsMax: 200 };
    const fans = await openStore(database, { collection: { ...collection, profiles }, layout });
    await fans.writeRows("fans", rows, null);
    const asked = { collection: "fans", texts: { words: "heist" }, k: 20 };
    expect(await fans.search({ ...asked, for: "ann" })).toEqual(await fans.search(asked));
    await expect(fans.search({ collection: "fans", for: "ann" })).rejects.toMatchObject({
      code: "query_invalid",
      message: expect.stringContaining("no profile"),
    });
  });

  test("the words are those of the row as it is now", async () => {
    const asked = { texts: { words: "zeppelin" } };
    expect(await search(asked)).toEqual([]);
    const [of] = rows as [(typeof rows)[number]];
    const changed = upsert(of.id, 2, { ...of.fields, plot: "Zeppelins over an island" }, [...of.vector]);
    await store.writeRows("films", [changed], null);
    expect(idsOf(await search(asked))).toEqual([of.id]);
    await store.writeRows("films", [upsert(of.id, 3, of.fields, [...of.vector])], null);
    expect(await search(asked)).toEqual([]);
  });

  const refused: [unknown, RegExp][] = [
    [{ word: "heist" }, /no text "word"/],
    [{ year: "heist" }, /no text "year"/],
    [{ 'words") or true --': "heist" }, /no text "words/],
    [{ words: 7 }, /what is asked of text "words" is 7/],
    [{ words: { weight: 2 } }, /what is asked of text "words"/],
    [{ words: { query: "heist", wait: 2 } }, /what is asked of text "words"/],
    [{ words: { query: "heist", weight: "2" } }, /no number/],
    [{ words: "a".repeat(2_001) }, /2001 characters/],
    [["heist"], /texts is no object/],
  ];
  test.for(refused)("refused: %o", async ([texts, message]) => {
    const asked = { parts: { year: 1990 }, texts } as Asked;
    await expect(search(asked)).rejects.toMatchObject({
      code: "query_invalid",
      message: expect.stringMatching(message),
      mend: expect.any(String),
    });
  });

  test("stop words add nothing, and alone they ask for nothing", async () => {
    const parts = { year: 1960 };
    for (const said of ["", "  ", "the of", "-the", '"of the"']) {
      const hits = await search({ parts, texts: { words: said } });
      expect(hits).toEqual(
        (await search({ parts })).map((hit) => ({
          ...hit,
          contributions: { ...hit.contributions, words: 0 },
        })),
      );
      await expect(search({ texts: { words: said } })).rejects.toMatchObject({
        code: "query_invalid",
        message: expect.stringContaining("asks for nothing"),
        mend: expect.any(String),
      });
    }
    await expect(search({ texts: {} })).rejects.toMatchObject({ code: "query_invalid" });
  });

  test("whatever is typed is words: no SQL, and no query language that can fail", async () => {
    const nasty = fc.oneof(
      fc.string({ maxLength: 40 }).filter((text) => !text.includes("\0")),
      fc.constantFrom(
        "'); drop view medley.films; --",
        "$1 || %L %s",
        "a & | ! b <-> :* (",
        '"',
        "\\",
        "' or '1'='1",
      ),
    );
    await fc.assert(
      fc.asyncProperty(nasty, async (query) => {
        const hits = await search({ parts: { year: 1960 }, texts: { words: query }, k: 240 });
        const ranks = await ranksOf(query, "");
        for (const { id, contributions } of hits)
          expect(contributions.words).toBeCloseTo(ranks.get(id)?.words as number, 6);
        expect(hits).toHaveLength(240);
      }),
      { numRuns: 25 },
    );
  });

  test("where indexes are read, hits are those of a scan: what matches is ranked whole", async () => {
    const many = Array.from({ length: 2_400 }, (_, n) => rowAt(n));
    for (let at = 0; at < many.length; at += 400)
      await store.writeRows("many", many.slice(at, at + 400), null);
    await buildIndex(database.connectionString, "many");
    const { rows: indexes } = await database.pool.query(
      "select indexdef from pg_indexes where tablename = 'many_g1' and indexdef like '%_text_%'",
    );
    expect(indexes).toHaveLength(2);
    const asked = { parts: { year: 1960, genres: "Drama" } };
    const texts = { words: { query: "detective or (letter)", weight: 2 } };
    await analyzeSearch(database.connectionString, "many");
    await database.pool.query("update medley_internal.search_statistics set scan_ms = 1e5, score_ms = 1e5");
    const plan = await store.explainSearch({ collection: "many", ...asked, texts });
    expect(plan.method).toBe("paths");
    expect(plan.paths.length).toBeGreaterThan(1);
    expect(plan.paths.at(-1)).toMatchObject({ path: "words", kind: "words", depth: expect.any(Number) });
    for (const k of [1, 10, 40]) {
      expect(await search({ ...asked, texts, k }, "many")).toEqual(
        await search({ ...asked, texts, k, recall: 1 }, "many"),
      );
    }
    await dropIndex(database.connectionString, "many");
    const alone = await store.explainSearch({ collection: "many", texts });
    expect(alone).toMatchObject({ method: "exact", paths: [{ path: "words", kind: "words" }] });
  }, 60_000);

  test("in SQL alone", async () => {
    const { rows: hits } = await database.pool.query(
      `select id, score, contributions, place from medley.search('films', medley.query('films', '{"year": 1960}'), 5,
         texts => '{"words": {"query": "heist", "weight": 2}}') order by place`,
    );
    const same = await search({
      parts: { year: 1960 },
      texts: { words: { query: "heist", weight: 2 } },
      k: 5,
    });
    expect(hits).toEqual(same.map(({ fields: _fields, ...hit }) => hit));
    const { rows: words } = await database.pool.query(
      "select id from medley.search('films', null, 5, texts => '{\"words\": \"heist\"}') order by place",
    );
    expect(words).toEqual((await search({ texts: { words: "heist" }, k: 5 })).map(({ id }) => ({ id })));
    const { rows: terms } = await database.pool.query(
      `select space, weight, contribution from medley.explain('films', $1, medley.query('films', '{"year": 1960}'),
         texts => '{"words": {"query": "heist", "weight": -2}}')`,
      [words[0].id],
    );
    expect(terms.map(({ space, weight }) => [space, Math.round(weight)])).toEqual([
      ["year", 1],
      ["genres", 0],
      ["words", 2],
    ]);
    expect(terms[2].contribution).toBeLessThan(0);
    await expect(database.pool.query("select * from medley.search('films', null, 5)")).rejects.toThrow(
      /dimensions/,
    );
  });
}
