import type { FieldValue, VectorEnvelope } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex } from "./collection-index.ts";
import { embed, type Film, film, films, genres } from "./films.fixture.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { missingIds } from "./rows/missing-ids.ts";
import { readRecords } from "./rows/read-records.ts";
import type { Search } from "./search.ts";
import { filmsLayout, openStore, type TestDatabase, tombstone, upsert } from "./test-database.fixture.ts";

/** Searching: the SQL functions, and `search` over them. */
export function describeSearch(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, filmsLayout("films"));
    const rows = films.map(({ id, fields, vector }): VectorEnvelope => upsert(id, 1, fields, [...vector]));
    await store.writeRows("films", [...rows, tombstone("gone", 1)], null);
  });
  afterAll(() => database.close());

  test("records are read back in order of id, a page at a time, without those that are deleted", async () => {
    const { collection } = filmsLayout("films");
    for (const pageRowsMax of [1_000, 300, 7]) {
      const records = await Array.fromAsync(readRecords(database.pool, collection, { pageRowsMax }));
      expect(records.map(({ id }) => id)).toEqual(films.map(({ id }) => id));
      const missing = { poster: null, theme: null };
      expect(records[8]).toEqual({ id: "f008", fields: { ...missing, ...films[8]?.fields } });
    }
    const titles = { ...collection, name: "other", fields: collection.fields.slice(0, 1) };
    const [first] = await Array.fromAsync(readRecords(database.pool, titles, { from: "films" }));
    expect(first).toEqual({ id: "f000", fields: { title: null } });
    const read = (from: string, given = collection) =>
      Array.fromAsync(readRecords(database.pool, given, { from }));
    await expect(read("flims")).rejects.toMatchObject({ code: "collection_unknown" });
    const lacking = { ...collection, fields: [{ name: "lack", type: "text" } as const] };
    await expect(read("films", lacking)).rejects.toMatchObject({ code: "schema_conflict" });
  });

  test("ids without a live row are told, in their order", async () => {
    const ids = ["z", "f001", "gone", "f000", "a'b"];
    expect(await missingIds(database.pool, "films", ids)).toEqual(["z", "gone", "a'b"]);
    expect(await missingIds(database.pool, "films", [])).toEqual([]);
  });

  const search = (asked: Omit<Search, "collection">) => store.search({ collection: "films", ...asked });
  const dot = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);

  test("hits are those of the model: weighted cosines, best first, equal scores in order of id", async () => {
    const weight = fc
      .double({ min: -5, max: 5, noNaN: true })
      .map(Math.fround)
      .filter((w) => Math.abs(w) > 0.01);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          year: fc.integer({ min: 1890, max: 2040 }),
          genres: fc.subarray(genres, { minLength: 1 }),
        }),
        fc.record({ year: weight, genres: weight }),
        fc.integer({ min: 1, max: 40 }),
        async (parts, weights, k) => {
          const hits = await search({ parts, weights, k });
          const query = embed(parts.year, parts.genres);
          const best = films
            .map(({ id, vector }) => ({
              id,
              score:
                weights.year * dot(query.slice(0, 2), vector.slice(0, 2)) +
                weights.genres * dot(query.slice(2), vector.slice(2)),
            }))
            .sort((a, b) => b.score - a.score);
          expect(hits).toHaveLength(k);
          const scores = new Map(best.map(({ id, score }) => [id, score]));
          for (const [place, hit] of hits.entries()) {
            // The model's query is in half precision.
            expect(Math.abs(hit.score - (scores.get(hit.id) as number))).toBeLessThan(0.01);
            expect(Math.abs(hit.score - (best[place]?.score as number))).toBeLessThan(0.01);
            const { year, genres: ofGenres } = hit.contributions as { year: number; genres: number };
            expect(hit.score).toBe(year + ofGenres);
            const next = hits[place + 1];
            if (next === undefined) continue;
            expect(hit.score > next.score || (hit.score === next.score && hit.id < next.id)).toBe(true);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("like a row: the row itself comes first, parts given stand instead of its segments", async () => {
    const liked = film(6);
    const [first] = await search({ like: liked.id, k: 1 });
    expect(first?.score).toBeCloseTo(2, 2);
    const [horror] = await search({ like: liked.id, parts: { genres: "Horror" }, k: 1 });
    expect(horror?.fields.genres).toEqual(["Horror"]);
  });

  test("a part that is null, a weight of 0 and a space not named ask for nothing", async () => {
    const plain = await search({ parts: { genres: ["Drama"] }, k: 20 });
    expect(await search({ parts: { genres: "Drama", year: null }, k: 20 })).toEqual(plain);
    expect(await search({ parts: { genres: "Drama", year: 1950 }, weights: { year: 0 }, k: 20 })).toEqual(
      plain,
    );
    expect(plain.every(({ contributions }) => contributions.year === 0)).toBe(true);
  });

  test("a segment stands for what encodes to it", async () => {
    const segment = Float32Array.from([0, 0, 2]);
    const hits = await search({ parts: { genres: segment } });
    expect(hits).toEqual(await search({ parts: { genres: "Horror" } }));
  });

  const has = (value: FieldValue | null, name: string) => (value as readonly string[]).includes(name);
  const filters: [Record<string, unknown>, (film: Film) => boolean][] = [
    [{ title: "Film 3" }, ({ fields }) => fields.title === "Film 3"],
    [{ title: { ne: "Film 3" } }, ({ fields }) => fields.title !== "Film 3"],
    [
      { title: { gte: "Film 3", lt: "Film 5" } },
      ({ fields: { title } }) => title === "Film 3" || title === "Film 4",
    ],
    [{ title: null }, ({ fields }) => fields.title === null],
    [{ title: { null: false } }, ({ fields }) => fields.title !== null],
    [{ studio: { in: ["Toho", "Ealing"] } }, ({ fields }) => fields.studio !== "Gaumont"],
    [{ studio: { in: [] } }, () => false],
    [
      { year: { gte: 1990, lt: 2000 } },
      ({ fields: { year } }) => Number(year) >= 1990 && Number(year) < 2000,
    ],
    [{ year: { in: [1937, 1974.0] } }, ({ fields: { year } }) => year === 1937 || year === 1974],
    [{ year: { ne: 1937 } }, ({ fields: { year } }) => year !== 1937],
    [{ genres: "Comedy" }, ({ fields }) => has(fields.genres ?? null, "Comedy")],
    [
      { genres: { any: ["Comedy", "Drama"] } },
      ({ fields: f }) => has(f.genres ?? null, "Comedy") || has(f.genres ?? null, "Drama"),
    ],
    [
      { genres: { all: ["Comedy", "Drama"] } },
      ({ fields: f }) => has(f.genres ?? null, "Comedy") && has(f.genres ?? null, "Drama"),
    ],
    [{ genres: { none: ["Horror"] } }, ({ fields }) => !has(fields.genres ?? null, "Horror")],
    [{ moods: { any: ["dark"] } }, ({ fields }) => fields.moods !== null],
    [{ moods: { none: ["dark"] } }, ({ fields }) => fields.moods === null],
    [{ moods: { all: ["dark", "sad"] } }, () => false],
    [{ sequels: "f2" }, ({ id }) => id === "f001"],
    [{ sequels: { all: ["f4", "f.last"] } }, ({ id }) => id === "f003"],
    [{ sequels: { none: ["f.last"] } }, ({ fields }) => fields.sequels === null],
    [{ takings: { null: true } }, ({ fields }) => fields.takings === null],
    [
      { released: { gte: "1990-06-15" } },
      ({ fields: { released: r } }) => Number(r ?? 0) >= Date.UTC(1990, 5, 15),
    ],
    [
      { released: { lt: Date.UTC(1960, 0) } },
      ({ fields: { released: r } }) => r !== null && Number(r) < Date.UTC(1960, 0),
    ],
    [{ place: { within: { lat: 0, lon: 0, km: 20_016 } } }, ({ fields }) => fields.place !== null],
    [{ place: { within: { lat: -83, lon: -167, km: 1 } } }, ({ id }) => id === "f001"],
    [{ face: null }, () => true],
    [{ id: { in: ["f002", "gone"] } }, ({ id }) => id === "f002"],
    [
      { year: { gte: 1990 }, genres: "Horror", title: { ne: "Film 1" } },
      ({ fields }) =>
        Number(fields.year) >= 1990 && has(fields.genres ?? null, "Horror") && fields.title !== "Film 1",
    ],
  ];

  test("a date in a filter is the same moment in every time zone, and no other words are a time", async () => {
    const dated = films.find(({ fields }) => fields.released != null) as Film;
    const day = new Date(Number(dated.fields.released)).toISOString().slice(0, 10);
    const client = await database.pool.connect();
    try {
      const ids = async (zone: string) => {
        await client.query("select set_config('timezone', $1, false)", [zone]);
        const filter = { released: { gte: day, lt: `${day}T23:59:59Z` } };
        const { rows } = await client.query(
          `select id from medley.search('films', medley.query('films', '{"genres": "Drama"}'), 1000, filter => $1)`,
          [filter],
        );
        return rows.map(({ id }) => id).sort();
      };
      const found = await ids("UTC");
      expect(found).toContain(dated.id);
      expect(await ids("America/New_York")).toEqual(found);
    } finally {
      await client.query("reset timezone");
      client.release();
    }
    for (const released of ["now", "March 1 2024", "infinity", "2024-02-30", "2024-03-01T10:00"])
      await expect(search({ parts: { genres: "Drama" }, filter: { released } })).rejects.toThrow(
        /can't be compared with/,
      );
  });

  test.for(filters)("filter %o", async ([filter, passes]) => {
    const hits = await search({ parts: { genres: "Drama" }, filter, k: 1_000 });
    expect(hits.map(({ id }) => id).sort()).toEqual(films.filter(passes).map(({ id }) => id));
  });

  const refused: [Omit<Search, "collection">, RegExp, RegExp?][] = [
    [{}, /asks for nothing/, /year, genres/],
    [{ like: "f001", weights: { year: 0, genres: 0 } }, /asks for nothing/],
    [{ parts: { plot: 1 } }, /no space "plot"/, /known: year, genres/],
    [{ weights: { plot: 1 }, like: "f001" }, /no space "plot"/],
    [{ weights: { year: "1" as unknown as number }, like: "f001" }, /is no number/],
    [{ weights: { year: 1e300 }, like: "f001" }, /too large/, /1e20/],
    [{ weights: { year: -1e-45 }, like: "f001" }, /too small/, /pass 0/],
    [{ parts: { genres: "Comdy" } }, /"Comdy" is not one of/, /Comedy/],
    [{ parts: { year: "x" } }, /is no number/],
    [{ parts: { year: [1, 2, 3] } }, /3 numbers/],
    [{ like: "f001", k: 0 }, /k is 0/],
    [{ like: "f001", k: 1_001 }, /k is 1001/],
    [{ like: "f001", k: 1.5 }, /1\.5/],
    [{ like: "f001", filter: { yaer: 1 } }, /no field "yaer"/, /known: .*year/],
    [{ like: "f001", filter: { 'year" or true --': 1 } }, /no field "year" or true --"/],
    [{ like: "f001", filter: { year: { "gte'": 1 } } }, /no operator "gte'"/, /known: eq, ne/],
    [{ like: "f001", filter: { year: { any: [1] } } }, /no operator "any"/],
    [{ like: "f001", filter: { year: "1990" } }, /can't be compared with "1990"/, /pass a number/],
    [{ like: "f001", filter: { year: { in: 1990 } } }, /takes an array/],
    [{ like: "f001", filter: { year: { in: [1, "2"] } } }, /can't be compared/],
    [{ like: "f001", filter: { title: 5 } }, /can't be compared/],
    [{ like: "f001", filter: { genres: { any: [1] } } }, /can't be compared/],
    [{ like: "f001", filter: { released: { gt: "yesterdayish" } } }, /can't be compared/, /time/],
    [{ like: "f001", filter: { place: { within: { lat: 1 } } } }, /no place and distance/],
    [{ like: "f001", filter: { place: { lat: 1, lon: 1 } } }, /no operator/],
    [{ like: "f001", filter: { title: { null: "no" } } }, /neither true nor false/],
    [{ like: "f001", filter: [] as unknown as Record<string, unknown> }, /no object/],
  ];

  test.for(refused)("refused: %o", async ([asked, message, mend]) => {
    await expect(search(asked)).rejects.toMatchObject({
      code: "query_invalid",
      message: expect.stringMatching(message),
      ...(mend === undefined ? {} : { mend: expect.stringMatching(mend) }),
    });
  });

  test("like a row that is not there, or deleted: not_found", async () => {
    for (const like of ["nobody", "gone"]) {
      await expect(search({ like })).rejects.toMatchObject({ code: "not_found", mend: expect.any(String) });
    }
  });

  test("filter values are never read as SQL", async () => {
    const hostile = fc.oneof(fc.string(), fc.constantFrom("' or true --", "$1", "{}", '","', "%s", "\\'"));
    await fc.assert(
      fc.asyncProperty(
        hostile.filter((s) => !s.includes("\0")),
        async (value) => {
          const filter = {
            title: value,
            studio: { in: [value] },
            genres: { any: [value] },
            moods: { all: [value] },
          };
          expect(await search({ like: "f001", filter })).toEqual([]);
        },
      ),
      { numRuns: 50 },
    );
  });

  const rowsOf = async (sql: string) => (await database.pool.query(sql)).rows;

  test("hand-written SQL over the building blocks gives what search gives", async () => {
    const byHand = await rowsOf(`select f.id, medley.score(f.embedding, q) as score
      from medley.films f, medley.query('films', '{"year": 1999, "genres": "Drama"}') q
      where f.year > 1990 order by 2 desc, 1 limit 10`);
    const hits = await search({ parts: { year: 1999, genres: "Drama" }, filter: { year: { gt: 1990 } } });
    expect(hits.map(({ id }) => id)).toEqual(byHand.map(({ id }) => id));
    for (const [place, hit] of hits.entries()) expect(hit.score).toBeCloseTo(byHand[place].score, 5);
  });

  test("the function itself returns live rows only, best first, equal scores in order of id", async () => {
    const rows = await rowsOf(
      "select id, score from medley.search('films', medley.query('films', '{\"genres\": \"Drama\"}'), 1000)",
    );
    expect(rows).toHaveLength(films.length);
    const sorted = [...rows].sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
    expect(rows).toEqual(sorted);
  });

  test("explain and segment agree with the contributions", async () => {
    const [hit] = await search({ parts: { year: 1999, genres: "Drama" }, weights: { genres: -2 }, k: 1 });
    const explained = await rowsOf(`select * from medley.explain(
      'films', '${hit?.id}', medley.query('films', '{"year": 1999, "genres": "Drama"}', '{"genres": -2}'))`);
    expect(explained.map(({ space, contribution }) => [space, contribution])).toEqual(
      Object.entries(hit?.contributions ?? {}).sort(([a]) => (a === "year" ? -1 : 1)),
    );
    expect(explained.map(({ weight }) => Math.round(weight))).toEqual([1, 2]);
    const [row] = await rowsOf(`select medley.segment(embedding, 'films', 'genres')::real[] as segment
      from medley.films where id = 'f002'`);
    expect(row.segment).toEqual([0, 1, 0]);
  });

  test("unknown collections and queries of the wrong length are refused with a hint", async () => {
    const sqlStates: [string, string][] = [
      ["select medley.query('flims', '{}')", "P0002"],
      ["select * from medley.search('flims', '[1]')", "P0002"],
      ["select * from medley.search('films', '[1,2]')", "22023"],
      ["select * from medley.search('films', null)", "22023"],
      ["select * from medley.explain('films', 'f001', '[1,2]')", "22023"],
      ["select medley.segment('[1]'::halfvec, 'films', 'plot')", "22023"],
    ];
    for (const [sql, code] of sqlStates) {
      await expect(database.pool.query(sql)).rejects.toMatchObject({ code, hint: expect.any(String) });
    }
  });

  test("the functions work whatever the session's search_path is", async () => {
    const client = await database.pool.connect();
    try {
      await client.query("set search_path = pg_catalog");
      const { rows } = await client.query(
        `select id from medley.search('films', medley.query('films', "like" => 'f010'), 3, '{"year": {"gt": 1}}')`,
      );
      expect(rows).toHaveLength(3);
    } finally {
      await client.query("reset search_path");
      client.release();
    }
  });

  test("with an index, the hits stay the same, filtered and not, even where it can't give enough", async () => {
    const asked = [
      { parts: { year: 1999, genres: "Drama" } },
      { parts: { year: 1999, genres: "Drama" }, filter: { title: "Film 3" }, k: 5 },
      { parts: { year: 1999, genres: "Drama" }, filter: { id: "f002" } },
      { parts: { genres: "Drama" } },
    ];
    const exact = await Promise.all(asked.map(search));
    const status = async () => (await store.collectionStatus())[0];
    expect(await status()).toMatchObject({
      index: "not_needed",
      rowsLive: 300,
      tombstones: 1,
      dimensions: 5,
    });
    await buildIndex(database.connectionString, "films");
    expect(await status()).toMatchObject({ index: "ready" });
    expect(await Promise.all(asked.map(search))).toEqual(exact);
  });
}
