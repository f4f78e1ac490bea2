import {
  type Collection,
  checkConfig,
  closedFormEncoder,
  fuse,
  type VectorEnvelope,
  version,
} from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex } from "../collection-index.ts";
import type { CollectionLayout } from "../migrations/collection-tables.ts";
import type { PostgresStore } from "../postgres-store.ts";
import type { Search } from "../search.ts";
import { openStore, type TestDatabase } from "../test-database.fixture.ts";
import { analyzeSearch } from "./analyze.ts";

const rowsCount = 2_400;
const kinds = [
  "bakery",
  "bar",
  "books",
  "cinema",
  "dairy",
  "fish",
  "garden",
  "music",
  "paper",
  "shoes",
  "tea",
  "wine",
];

const [collection] = checkConfig({
  collections: {
    shops: {
      fields: { size: "number", kinds: "categories", opened: "timestamp", place: "geo", street: "number" },
      spaces: {
        size: { encoder: "number", field: "size", range: [1, 1_000], scale: "log" },
        kinds: { encoder: "category", field: "kinds", values: kinds },
        opened: { encoder: "recency", field: "opened", horizonDays: 8_000, harmonics: 8 },
        place: { encoder: "geo", field: "place" },
      },
    },
  },
}) as [Collection];

type Fields = VectorEnvelope["fields"];

/** A value is missing in one of eleven rows, of each field in others. */
function fieldsOf(n: number): Fields {
  const has = (offset: number) => (n + offset) % 11 !== 0;
  return {
    size: has(0) ? 1 + ((n * 7_919) % 1_200) : null,
    kinds: has(1) ? kinds.filter((_, at) => (n * 31 + at * at * 7) % 5 === 0) : null,
    opened: has(2) ? Date.UTC(2000, 0, 1 + ((n * 37) % 9_000)) : null,
    place: has(3) ? { lat: ((n * 13) % 160) - 80, lon: ((n * 29) % 360) - 180 } : null,
    street: n % 200,
  };
}

async function shopsWithVectors(): Promise<CollectionLayout & { rows: readonly VectorEnvelope[] }> {
  const fields = Array.from({ length: rowsCount }, (_, n) => fieldsOf(n));
  const encoders = collection.spaces.map((space) => {
    const encoder = closedFormEncoder(space, collection.fields);
    if (encoder === null) throw new Error("closed forms only");
    return encoder;
  });
  const segments = await Promise.all(
    encoders.map(async (encoder, at) => {
      const field = collection.spaces[at]?.fields[0] as string;
      const given = fields.flatMap((of, n) => (of[field] === null ? [] : [{ n, value: of[field] }]));
      const results = await encoder.encode(given.map(({ value }) => value));
      const all: Float32Array[] = fields.map(() => new Float32Array(encoder.dimensions));
      for (const [i, result] of results.entries()) {
        if (result.ok) all[given[i]?.n as number] = result.value;
      }
      return all;
    }),
  );
  let offset = 0;
  const layout = collection.spaces.map(({ name }, at) => {
    const dimensions = encoders[at]?.dimensions as number;
    offset += dimensions;
    return { space: name, offset: offset - dimensions, dimensions, encoderIdentity: name };
  });
  const rows = fields.map(
    (of, n): VectorEnvelope => ({
      id: `shop-${String(n).padStart(4, "0")}`,
      version: version(1n),
      op: "upsert",
      source: "test",
      fields: of,
      vector: Float16Array.from(fuse(segments.map((ofSpace) => ofSpace[n] as Float32Array))),
      segmentHashes: new Uint8Array(16 * layout.length),
    }),
  );
  return { collection, layout, rows };
}

/** Searches that are planned, against exact ones; a scan is made out to be dear, so that few rows are worth a plan. */
export function describePlannedSearch(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    const { rows, ...shops } = await shopsWithVectors();
    store = await openStore(database, shops);
    for (let at = 0; at < rows.length; at += 400)
      await store.writeRows("shops", rows.slice(at, at + 400), null);
  }, 120_000);
  afterAll(() => database.close());

  type Asked = Omit<Search, "collection">;
  const search = (asked: Asked) => store.search({ collection: "shops", ...asked });
  const planOf = (asked: Asked) => store.explainSearch({ collection: "shops", ...asked });
  const somewhere = {
    size: 30,
    kinds: ["tea", "books"],
    opened: { now: "2024-06-01T00:00:00Z" },
    place: { lat: 52, lon: 4 },
  };

  test("the graph over all spaces is of scaled segments, in the order of the scores", async () => {
    const { rows } = await database.pool.query<{ scaled: string; asked: string; alone: string }>(
      `select medley_internal.scaled(spaces, '{}', 'embedding', true, found) as scaled,
  medley_internal.scaled(spaces, '{}', '$1::halfvec', false, found) as asked,
  medley_internal.scaled(jsonb_build_array(spaces -> 3), '{}', 'embedding', true, found) as alone
from medley_internal.collections, medley_internal.vector_schema() as found`,
    );
    const { scaled, asked, alone } = rows[0] as (typeof rows)[0];
    expect(alone).toBe("embedding");
    const one = await database.pool.query(
      "select embedding::text as query from medley.shops where id = 'shop-0003'",
    );
    const { rows: lengths } = await database.pool.query<{ ratio: number }>(
      `select ((${scaled}) <#> (${asked})) / (embedding <#> $1::halfvec) as ratio
from medley.shops where abs(embedding <#> $1::halfvec) > 0.5`,
      [one.rows[0].query],
    );
    expect(lengths.length).toBeGreaterThan(1_000);
    for (const { ratio } of lengths) expect(Math.abs(ratio / 2.5 - 1)).toBeLessThan(5e-3);
  });
  const waitingSql =
    "select from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())";
  const scansAreDear = () =>
    database.pool.query("update medley_internal.search_statistics set scan_ms = 1e5, score_ms = 1e5");

  test("without an index there is nothing to choose: searches scan, analysis learns nothing", async () => {
    expect(await analyzeSearch(database.connectionString, "shops")).toBeNull();
    expect(await planOf({ parts: somewhere })).toMatchObject({
      method: "exact",
      learned: false,
    });
  });

  test("analysis learns plans that reach their recall, and says how far it is", async () => {
    await buildIndex(database.connectionString, "shops");
    const told: number[] = [];
    const analysis = await analyzeSearch(database.connectionString, "shops", {
      secondsMax: 1,
      onProgress: ({ done }) => told.push(done),
    });
    expect(analysis).toMatchObject({ rows: rowsCount, queries: told.length, exactMs: expect.any(Number) });
    expect(told.length).toBeGreaterThanOrEqual(4);
    expect(analysis?.plans).toBeGreaterThan(0);
    await scansAreDear();
    const plan = await planOf({ parts: somewhere });
    expect(plan).toMatchObject({ method: "paths", learned: true });
    expect(plan.estimatedRecall).toBeGreaterThanOrEqual(0.95);
    expect(await planOf({ parts: somewhere, recall: 1 })).toMatchObject({
      method: "exact",
      estimatedRecall: 1,
    });
  }, 120_000);

  test("on a server two sessions look for queries at once, in one snapshot", async (context) => {
    context.skip(database.embedded, "the embedded engine has one session");
    const analysis = analyzeSearch(database.connectionString, "shops", { secondsMax: 1 });
    const counted = async () => {
      const { rows } = await database.pool.query<{ sessions: number; snapshots: number }>(
        `select count(*)::int as sessions, count(distinct backend_xmin::text)::int as snapshots from pg_stat_activity
where application_name = 'medley analyze' and datname = current_database() and backend_xmin is not null`,
      );
      return rows[0];
    };
    await expect.poll(counted, { timeout: 30_000, interval: 20 }).toEqual({ sessions: 2, snapshots: 1 });
    expect(await analysis).toMatchObject({ rows: rowsCount });
    await scansAreDear();
  }, 60_000);

  test("an analysis waits for another that is just writing, and takes its place", async (context) => {
    context.skip(database.embedded, "the embedded engine has one session");
    const other = await database.pool.connect();
    try {
      await other.query("begin");
      await other.query(
        "create temp table kept on commit drop as select * from medley_internal.search_statistics",
      );
      await other.query("delete from medley_internal.search_statistics");
      await other.query("insert into medley_internal.search_statistics select * from kept");
      const analysis = analyzeSearch(database.connectionString, "shops", { secondsMax: 1 });
      await expect
        .poll(() => database.pool.query(waitingSql), { timeout: 60_000 })
        .toMatchObject({ rowCount: 1 });
      await other.query("commit");
      expect(await analysis).toMatchObject({ rows: rowsCount });
    } finally {
      other.release();
    }
    expect((await database.pool.query("select from medley_internal.search_statistics")).rowCount).toBe(1);
    await scansAreDear();
  }, 120_000);

  test("an analysis that is cut short changes nothing", async () => {
    const rows = async () =>
      (await database.pool.query("select analyzed_at from medley_internal.search_statistics")).rows;
    const before = await rows();
    const controller = new AbortController();
    const options = { signal: controller.signal, onProgress: () => controller.abort() };
    expect(await analyzeSearch(database.connectionString, "shops", options)).toBeNull();
    expect(await rows()).toEqual(before);
  }, 60_000);

  test("at any weights, missing segments and filters among them: recall, no hit too few, best first, ties by id", async () => {
    // Smaller ones are refused.
    const size = fc.double({ min: -5, max: 5, noNaN: true }).map(Math.fround);
    const weight = fc.oneof(
      fc.constant(0),
      size.filter((x) => Math.abs(x) > 1e-20),
    );
    const asked = fc.record({
      like: fc.integer({ min: 0, max: rowsCount - 1 }).map((n) => `shop-${String(n).padStart(4, "0")}`),
      weights: fc.record({ size: weight, kinds: weight, opened: weight, place: weight }),
      filter: fc.constantFrom(
        {},
        { street: { lt: 100 } },
        { street: { lt: 10 } },
        { street: 5 },
        { street: -1 },
      ),
      k: fc.constantFrom(1, 10, 40),
    });
    let [found, wanted] = [0, 0];
    await fc.assert(
      fc.asyncProperty(asked, async (given) => {
        const exact = await search({ ...given, recall: 1 }).catch((error) => String(error));
        if (typeof exact === "string") {
          // The row has nothing where the weights ask for something.
          expect(exact).toMatch(/asks for nothing/);
          return;
        }
        const planned = await search(given);
        expect(planned).toHaveLength(exact.length);
        const least = (exact.at(-1)?.score ?? 0) - 1e-3;
        found += planned.filter(({ score }) => score >= least).length;
        wanted += exact.length;
        for (const [place, hit] of planned.entries()) {
          const next = planned[place + 1];
          if (next === undefined) continue;
          expect(hit.score > next.score || (hit.score === next.score && hit.id < next.id)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
    expect(found / wanted).toBeGreaterThanOrEqual(0.95);
  }, 120_000);

  const closedForms: [string, Asked][] = [
    ["the nearest number", { parts: { size: 30 } }],
    ["beyond the range", { parts: { size: 5_000 } }],
    ["the farthest number: both ends, and none at all", { parts: { size: 30 }, weights: { size: -1 } }],
    ["the highest", { parts: { size: "high" } }],
    ["least like the highest", { parts: { size: "high" }, weights: { size: -2 } }],
    ["a direction of no value", { parts: { size: [-1, 1] } }],
    ["the latest", { parts: { opened: { now: "2012-03-04T00:00:00Z", halfLifeDays: 30 } } }],
    ["the earliest", { parts: { opened: { now: "2026-01-01T00:00:00Z" } }, weights: { opened: -1 } }],
  ];

  // Half precision makes equals of near values: which of them come is open.
  test.for(closedForms)(
    "of one number or time alone the hits score as the best do: %s",
    async ([, asked]) => {
      expect(await planOf(asked)).toMatchObject({ method: "paths", estimatedRecall: 1 });
      const planned = await search({ ...asked, k: 30 });
      const exact = await search({ ...asked, k: 30, recall: 1 });
      expect(planned).toHaveLength(30);
      for (const [place, { score }] of planned.entries())
        expect(score).toBeCloseTo(exact[place]?.score ?? 0, 3);
    },
  );

  test("where a path of a space has one of the best that the index over all spaces has not, all are read deeper", async () => {
    const { rows: kept } = await database.pool.query<{ number: number; paths: object[] }>(
      "select number, paths from medley_internal.search_plans",
    );
    const { rows: weightings } = await database.pool.query<{
      shares: string;
      recalls: string;
      costs: string;
    }>("select shares::text, recalls::text, costs::text from medley_internal.search_weightings");
    const { rows: open } = await database.pool.query<{ paths: { place: number }[] }>(
      "select medley_internal.open_paths(found) as paths from medley_internal.collection_of('shops') as found",
    );
    const best = await search({ parts: somewhere, recall: 1 });
    const planIs = (number: number, paths: readonly object[]) =>
      database.pool.query("update medley_internal.search_plans set paths = $2 where number = $1", [
        number,
        JSON.stringify(paths),
      ]);
    const foundWhen = async (deeper: number | null) => {
      const path = (wanted: number) => open[0]?.paths.find(({ place }) => place === wanted);
      await planIs(1, [
        { ...path(0), depth: 2, deeper },
        { ...path(1), depth: 20, deeper: null },
      ]);
      const hits = await search({ parts: somewhere });
      return hits.filter(({ score }) => score >= (best.at(-1)?.score ?? 0) - 1e-3).length;
    };
    await database.pool.query("update medley_internal.search_weightings set recalls = '[1]', costs = '[1]'");
    expect(await foundWhen(null)).toBeLessThan(9);
    expect(await foundWhen(400)).toBeGreaterThanOrEqual(9);
    for (const { number, paths } of kept) await planIs(number, paths);
    await database.pool.query("delete from medley_internal.search_weightings");
    await database.pool.query(
      `insert into medley_internal.search_weightings (table_name, shares, recalls, costs)
select 'shops_g1', shares::vector, recalls::vector, costs::vector from json_to_recordset($1) as kept (shares text, recalls text, costs text)`,
      [JSON.stringify(weightings)],
    );
  });

  test("a recall that no plan promises is scanned for, one out of range refused", async () => {
    await database.pool.query(
      "update medley_internal.search_weightings set recalls = recalls * array_fill(0.9::real, array[vector_dims(recalls)])::vector",
    );
    expect(await planOf({ parts: somewhere, recall: 0.95 })).toMatchObject({ method: "exact" });
    expect(await planOf({ parts: somewhere, recall: 0.7 })).toMatchObject({ method: "paths" });
    for (const recall of [-0.1, 1.1]) {
      await expect(search({ parts: somewhere, recall })).rejects.toMatchObject({ code: "query_invalid" });
    }
  });

  test("an index that is gone is in no plan", async () => {
    await database.pool.query(
      "update medley_internal.search_weightings set recalls = recalls * array_fill(2::real, array[vector_dims(recalls)])::vector",
    );
    const only = async () => (await planOf({ parts: { size: 30 } })).paths.map(({ path }) => path);
    expect(await only()).toContain("size");
    await database.pool.query("drop index medley_internal.shops_g1_space_1");
    expect(await only()).not.toContain("size");
    expect(await search({ parts: { size: 30 }, k: 5 })).toHaveLength(5);
  });
}
