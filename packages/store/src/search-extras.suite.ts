import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex } from "./collection-index.ts";
import { embed, type Film, film, films, genres } from "./films.fixture.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { Hit, Search } from "./search.ts";
import { analyzeSearch } from "./search-plans/analyze.ts";
import { filmsLayout, openStore, type TestDatabase, tombstone, upsert } from "./test-database.fixture.ts";

type Asked = Omit<Search, "collection">;
const spaces = { year: [0, 2], genres: [2, 5] } as const;
type Space = keyof typeof spaces;
const spaceNames = Object.keys(spaces) as Space[];

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
const segmentOf = ({ vector }: Pick<Film, "vector">, space: Space) => vector.slice(...spaces[space]);
const filmOf = (id: string) => films.find((one) => one.id === id) as Film;
const idsOf = (hits: readonly Hit[]) => hits.map(({ id }) => id);

/** Rocchio's query of one space, in double precision; null where nothing is left. */
function rocchio(space: Space, likes: readonly Film[], unlikes: readonly Film[]): readonly number[] | null {
  const mean = (rows: readonly Film[]) => {
    const present = rows.map((row) => segmentOf(row, space)).filter((segment) => Math.hypot(...segment) > 0);
    const width = spaces[space][1] - spaces[space][0];
    return Array.from(
      { length: width },
      (_, i) => present.reduce((sum, x) => sum + (x[i] as number), 0) / (present.length || 1),
    );
  };
  const away = mean(unlikes);
  const sum = mean(likes).map((x, i) => x - (away[i] as number) / 3);
  const length = Math.hypot(...sum);
  return length < 1e-6 ? null : sum.map((x) => x / length);
}

/** By how much, at most, a hit falls short of the one of the pool that has the highest marginal relevance when it is chosen. */
function shortfall(
  hits: readonly Hit[],
  pool: readonly Hit[],
  weights: Readonly<Record<Space, number>>,
  diversity: number,
): number {
  const total = spaceNames.reduce((sum, space) => sum + Math.abs(weights[space]), 0);
  const shares = spaceNames.map((space) => [space, Math.abs(weights[space]) / total] as const);
  const likeness = (a: Hit, b: Hit) =>
    shares.reduce(
      (sum, [space, share]) =>
        sum + share * dot(segmentOf(filmOf(a.id), space), segmentOf(filmOf(b.id), space)),
      0,
    );
  const shortfalls = hits.map((hit, at) => {
    const chosen = hits.slice(0, at);
    const relevance = (one: Hit) =>
      ((1 - diversity) * one.score) / total -
      diversity * Math.max(...(at === 0 ? [0] : chosen.map((other) => likeness(one, other))));
    const left = pool.filter(({ id }) => !idsOf(chosen).includes(id));
    return Math.max(...left.map(relevance)) - relevance(hit);
  });
  return Math.max(...shortfalls);
}

/** What a search may say beside parts and weights: rows like and unlike others, thresholds, diversity, groups, pages. */
export function describeSearchExtras(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"), filmsLayout("many"), filmsLayout("changing"));
    const rows = films.map(({ id, fields, vector }) => upsert(id, 1, fields, [...vector]));
    await store.writeRows("films", [...rows, tombstone("gone", 1)], null);
    // Some have no studio there.
    const changing = rows.map((row, n) => ({
      ...row,
      fields: { ...row.fields, ...(n % 5 === 0 ? { studio: null } : {}) },
    }));
    await store.writeRows("changing", changing, null);
  });
  afterAll(() => database.close());

  const search = (asked: Asked, collection = "films") => store.search({ collection, ...asked });
  const anyFilms = fc.uniqueArray(fc.integer({ min: 0, max: 299 }), { maxLength: 5 });
  const weights = fc.constantFrom({ year: 1, genres: 1 }, { year: 3, genres: 0.5 }, { year: -1, genres: 2 });
  const parts = fc.record({
    year: fc.integer({ min: 1900, max: 2030 }),
    genres: fc.subarray(genres, { minLength: 1 }),
  });
  const asked = fc.record({ parts, weights });

  test("like some, unlike others: Rocchio's query per space, in which a missing segment counts for nothing", async () => {
    await fc.assert(
      fc.asyncProperty(anyFilms, anyFilms, async (liked, unliked) => {
        const [likes, unlikes] = [liked.map(film), unliked.map(film)];
        const asked = { like: idsOf(likes as never), unlike: idsOf(unlikes as never), k: 300 };
        const queries = spaceNames.map((space) => ({ space, segment: rocchio(space, likes, unlikes) }));
        if (queries.every(({ segment }) => segment === null)) {
          await expect(search(asked)).rejects.toMatchObject({ code: "query_invalid" });
          return;
        }
        const hits = await search(asked);
        expect(hits).toHaveLength(300);
        for (const hit of hits) {
          for (const { space, segment } of queries) {
            const expected = segment === null ? 0 : dot(segment, segmentOf(filmOf(hit.id), space));
            expect(hit.contributions[space]).toBeCloseTo(expected, 5);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("one row is liked as a list of it; a part that is given stands instead", async () => {
    expect(await search({ like: ["f006"] })).toEqual(await search({ like: "f006" }));
    const [first] = await search({ like: ["f006", "f007"], parts: { genres: "Horror" }, k: 1 });
    expect(first?.fields.genres).toEqual(["Horror"]);
  });

  test("what is unlike comedies only has no comedy first, and the unliked itself last", async () => {
    const hits = await search({ unlike: "f001", weights: { year: 0 }, k: 300 });
    expect(hits[0]?.fields.genres).not.toContain("Comedy");
    expect(hits.at(-1)?.contributions.genres).toBeCloseTo(-1, 2);
  });

  const refused: [Asked, string, RegExp][] = [
    [{ like: ["f001", "nobody"] }, "not_found", /no row "nobody"/],
    [{ unlike: "gone" }, "not_found", /no row "gone"/],
    [{ like: Array.from({ length: 101 }, () => "f001") }, "query_invalid", /101 rows/],
    [{ for: "ann", unlike: "f001" }, "query_invalid", /"for" and "unlike"/],
    [{ scoreMin: Number.NaN }, "query_invalid", /NaN/],
    [{ diversity: 1.01 }, "query_invalid", /diversity is 1.01/],
    [{ diversity: 0.5, k: 101 }, "query_invalid", /101 hits/],
    [{ perGroup: { field: "stud", max: 1 } }, "query_invalid", /no category "stud"/],
    [{ perGroup: { field: "genres", max: 1 } }, "query_invalid", /no category "genres"/],
    [{ perGroup: { field: "studio", max: 0 } }, "query_invalid", /the groups are/],
    [{ perGroup: { field: "studio", max: 1.5 } }, "query_invalid", /the groups are/],
    [{ after: { id: "f001", score: 1, place: 9_991 } }, "query_invalid", /behind hit 10000/],
    [{ after: { id: "f001", score: 1, place: -1 } }, "query_invalid", /behind hit 10000/],
    [{ after: { id: "f001", score: "1" as unknown as number, place: 1 } }, "query_invalid", /is no hit/],
    [{ after: { id: "f001", score: 1, place: 1 }, diversity: 0.1 }, "query_invalid", /no diversity/],
    [
      { after: { id: "f001", score: 1, place: 1 }, perGroup: { field: "studio", max: 1 } },
      "query_invalid",
      /no groups/,
    ],
  ];

  test.for(refused)("refused: %o", async ([asked, code, message]) => {
    const given = (asked.like ?? asked.unlike) ? asked : { ...asked, parts: { year: 1950 } };
    await expect(search(given)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      mend: expect.any(String),
    });
  });

  test("no hit is below the lowest score, and none above it is left out", async () => {
    await fc.assert(
      fc.asyncProperty(asked, fc.double({ min: -2, max: 3, noNaN: true }), async (query, scoreMin) => {
        const all = await search({ ...query, k: 300 });
        const hits = await search({ ...query, k: 300, scoreMin });
        expect(hits).toEqual(all.filter(({ score }) => score >= scoreMin));
        // At the border: a score is not below itself.
        const border = all[7]?.score as number;
        const few = await search({ ...query, k: 10, scoreMin: border });
        expect(few).toEqual(all.slice(0, 10).filter(({ score }) => score >= border));
      }),
      { numRuns: 15 },
    );
  });

  test("diversity 0 is the search itself; hits of any other are those of maximal marginal relevance", async () => {
    await fc.assert(
      fc.asyncProperty(
        asked,
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(0.2, 0.5, 0.9, 1),
        async (query, k, diversity) => {
          const plain = await search({ ...query, k });
          expect(await search({ ...query, k, diversity: 0 })).toEqual(plain);
          const hits = await search({ ...query, k, diversity });
          const pool = await search({ ...query, k: Math.max(5 * k, 50) });
          expect(hits[0]).toEqual(plain[0]);
          expect(hits.map(({ place }) => place)).toEqual(hits.map((_, at) => at + 1));
          expect(new Set(idsOf(hits)).size).toBe(k);
          expect(shortfall(hits, pool, query.weights, diversity)).toBeLessThan(1e-5);
          expect(await search({ ...query, k, diversity })).toEqual(hits);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("diversity chooses among hits that are not below the lowest score", async () => {
    const query = { parts: { year: 1990, genres: "Drama" }, k: 20 };
    const border = (await search(query))[9]?.score as number;
    const hits = await search({ ...query, diversity: 0.9, scoreMin: border });
    expect(hits.length).toBeGreaterThanOrEqual(10);
    expect(hits.every(({ score }) => score >= border)).toBe(true);
  });

  /** In order, no more than `max` of a value; rows without one count for none. */
  const grouped = (hits: readonly Hit[], field: string, max: number) =>
    hits.filter(({ fields }, at) => {
      const value = fields[field];
      const before = hits.slice(0, at).filter((other) => other.fields[field] === value).length;
      return value === null || before < max;
    });

  test("at most so many hits of a value, and as many hits as there are", async () => {
    await fc.assert(
      fc.asyncProperty(
        asked,
        fc.integer({ min: 1, max: 120 }),
        fc.integer({ min: 1, max: 30 }),
        async (query, k, max) => {
          const all = await search({ ...query, k: 300 }, "changing");
          const hits = await search({ ...query, k, perGroup: { field: "studio", max } }, "changing");
          expect(idsOf(hits)).toEqual(idsOf(grouped(all, "studio", max).slice(0, k)));
        },
      ),
      { numRuns: 20 },
    );
    const both = await search({
      parts: { year: 1990 },
      diversity: 0.5,
      perGroup: { field: "studio", max: 2 },
    });
    expect(both).toHaveLength(6);
  });

  const pagesOf = async (asked: Asked, sizes: readonly number[], between: () => Promise<void>) => {
    const pages: Hit[] = [];
    for (let turn = 0; ; turn += 1) {
      const last = pages.at(-1);
      const k = sizes[turn % sizes.length] as number;
      const page = await search({ ...asked, k, ...(last === undefined ? {} : { after: last }) }, "changing");
      expect(page.map(({ place }) => place)).toEqual(page.map((_, at) => pages.length + at + 1));
      pages.push(...page);
      if (page.length < k) return pages;
      await between();
    }
  };

  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 });

  test("pages put together are one search", async () => {
    await fc.assert(
      fc.asyncProperty(asked, sizes, async (query, ofPages) => {
        const whole = await search({ ...query, k: 1_000 }, "changing");
        expect(await pagesOf(query, ofPages, async () => {})).toEqual(whole);
      }),
      { numRuns: 8 },
    );
  });

  test("with writes between pages, no row that has not changed comes twice or is left out", async () => {
    let version = 1;
    await fc.assert(
      fc.asyncProperty(
        asked,
        sizes,
        fc.infiniteStream(
          fc.record({ n: fc.integer({ min: 0, max: 340 }), to: fc.integer({ min: 0, max: 299 }) }),
        ),
        fc.infiniteStream(fc.integer({ min: 0, max: 6 })),
        async (query, ofPages, changes, kinds) => {
          const before = await search({ ...query, k: 1_000 }, "changing");
          const changed = new Set<string>();
          const pages = await pagesOf(query, ofPages, async () => {
            const writes = Array.from({ length: 3 }, () => {
              const { n, to } = changes.next().value as { n: number; to: number };
              const { id } = film(n);
              changed.add(id);
              version += 1;
              if (kinds.next().value === 0) return tombstone(id, version);
              return upsert(id, version, film(to).fields, [...film(to).vector]);
            });
            const latest = [...new Map(writes.map((write) => [write.id, write])).values()];
            await store.writeRows("changing", latest, null);
          });
          const unchanged = ({ id }: Hit) => !changed.has(id);
          expect(idsOf(pages.filter(unchanged))).toEqual(idsOf(before.filter(unchanged)));
        },
      ),
      { numRuns: 12 },
    );
  });

  test("where indexes are read: pages don't repeat hits, groups are filled, and both agree with a scan", async () => {
    const rows = Array.from({ length: 2_400 }, (_, n) => film(n)).map(({ id, fields }, n) => {
      const year = n % 11 === 0 ? null : 1900 + ((n * 7919) % 131_000) / 1000;
      const named = (fields.genres ?? []) as readonly string[];
      const studio = n % 300 === 0 ? "Toho" : "Ealing";
      return upsert(id, 1, { ...fields, year, studio }, embed(year, named));
    });
    for (let at = 0; at < rows.length; at += 400)
      await store.writeRows("many", rows.slice(at, at + 400), null);
    await buildIndex(database.connectionString, "many");
    await analyzeSearch(database.connectionString, "many");
    await database.pool.query("update medley_internal.search_statistics set scan_ms = 1e5, score_ms = 1e5");
    const query = { parts: { year: 1950, genres: "Drama" }, weights: { year: 2 } };
    const plan = await store.explainSearch({
      collection: "many",
      ...query,
      after: { id: "f", score: 1, place: 40 },
    });
    expect(plan.method).toBe("paths");

    const pages: Hit[] = [];
    for (let page = 0; page < 12; page += 1) {
      const last = pages.at(-1);
      const hits = await search({ ...query, k: 10, ...(last === undefined ? {} : { after: last }) }, "many");
      expect(hits).toHaveLength(10);
      pages.push(...hits);
    }
    expect(new Set(idsOf(pages)).size).toBe(pages.length);
    const exact = idsOf(await search({ ...query, k: 120, recall: 1 }, "many"));
    const found = pages.filter(({ id }) => exact.includes(id)).length;
    expect(found / exact.length).toBeGreaterThanOrEqual(0.9);

    const perGroup = { field: "studio", max: 2 };
    const groups = await search({ ...query, k: 4, perGroup }, "many");
    expect(groups).toEqual(await search({ ...query, k: 4, perGroup, recall: 1 }, "many"));
    expect(groups.map(({ fields }) => fields.studio).sort()).toEqual(["Ealing", "Ealing", "Toho", "Toho"]);
  }, 60_000);

  test("in SQL alone: likes and unlikes, and a page behind the last hit of another search", async () => {
    const query = "medley.query('films', likes => '{f006,f007}', unlikes => '{f001}')";
    const { rows: whole } = await database.pool.query(
      `select * from medley.search('films', ${query}, 12) order by place`,
    );
    const { rows: next } = await database.pool.query(
      `with asked as (select ${query} as query),
         first_page as (select hit.* from asked, medley.search('films', query, 7) as hit)
       select hit.* from asked, (select to_jsonb(last) as hit from first_page as last order by place desc limit 1) as last,
         medley.search('films', query, 5, after => last.hit) as hit
       order by hit.place`,
    );
    expect(next).toEqual(whole.slice(7));
  });

  test("in SQL alone: many searches in one statement, each as if it were alone", async () => {
    const { rows } = await database.pool.query(
      `select asked.n, hit.id, hit.score
       from (values (0, '{"year": 1999}'::jsonb), (1, '{"genres": "Comedy"}')) as asked (n, parts)
       cross join lateral medley.search('films', medley.query('films', asked.parts), 5, diversity => 0.2) as hit
       order by asked.n, hit.place`,
    );
    const alone = [{ year: 1999 }, { genres: "Comedy" }].map(async (parts, n) =>
      (await search({ parts, k: 5, diversity: 0.2 })).map(({ id, score }) => ({ n, id, score })),
    );
    expect(rows).toEqual((await Promise.all(alone)).flat());
  });
}
