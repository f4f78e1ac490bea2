import { type Collection, checkConfig, normalize, Random, type VectorEnvelope, version } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex, dropIndex } from "./collection-index.ts";
import { readGraphDimensions, type SpaceAxes, writeGraphAxes } from "./graph-axes.ts";
import { readPathIndexes } from "./index-state.ts";
import type { CollectionLayout } from "./migrations/collection-tables.ts";
import type { PostgresStore } from "./postgres-store.ts";
import { sampleSpaces } from "./rows/sampled-vectors.ts";
import { analyzeSearch } from "./search-plans/analyze.ts";
import { openStore, type TestDatabase } from "./test-database.fixture.ts";

const rowsCount = 2_200;
const faceDimensions = 24;
const free = 6;

const [collection] = checkConfig({
  collections: {
    things: {
      fields: { face: "vector(24)", mark: "vector(8)", size: "number" },
      spaces: {
        face: { encoder: "vector", field: "face" },
        size: { encoder: "number", field: "size", range: [0, 100] },
        mark: { encoder: "vector", field: "mark" },
      },
    },
  },
}) as [Collection];

const layout = [
  { space: "face", offset: 0, dimensions: faceDimensions, encoderIdentity: "face" },
  { space: "size", offset: 24, dimensions: 2, encoderIdentity: "size" },
  { space: "mark", offset: 26, dimensions: 8, encoderIdentity: "mark" },
];

/** Faces lie in the span of six axes, but for a little; one in eleven rows has none. */
function thingsWithVectors(axes: readonly (readonly number[])[]): CollectionLayout & {
  readonly rows: readonly VectorEnvelope[];
} {
  const random = new Random(5);
  const drawn = (size: number) => Float32Array.from({ length: size }, () => random.normal());
  const rows = Array.from({ length: rowsCount }, (_, n): VectorEnvelope => {
    const along = drawn(free);
    const noise = drawn(faceDimensions);
    const face = normalize(
      noise.map(
        (x, at) => 0.02 * x + along.reduce((sum, own, of) => sum + own * (axes[of]?.[at] as number), 0),
      ),
    );
    const angle = ((n % 101) / 100) * (Math.PI / 2);
    const vector = [
      ...(n % 11 === 0 ? new Float32Array(faceDimensions) : face),
      Math.cos(angle),
      Math.sin(angle),
      ...normalize(drawn(8)),
    ];
    return {
      id: `thing-${String(n).padStart(4, "0")}`,
      version: version(1n),
      op: "upsert",
      source: "test",
      fields: { size: n % 101 },
      vector: Float16Array.from(vector),
      segmentHashes: new Uint8Array(48),
    };
  });
  return { collection, layout, rows };
}

/** Orthonormal, by Gram and Schmidt. */
function drawnAxes(dimensions: number, count: number): number[][] {
  const random = new Random(9);
  const axes: number[][] = [];
  while (axes.length < count) {
    let axis = Array.from({ length: dimensions }, () => random.normal());
    for (const one of axes) {
      const dot = axis.reduce((sum, x, at) => sum + x * (one[at] as number), 0);
      axis = axis.map((x, at) => x - dot * (one[at] as number));
    }
    const length = Math.hypot(...axis);
    axes.push(axis.map((x) => x / length));
  }
  return axes;
}

/** Graphs over fewer dimensions than the rows have. */
export function describeGraphAxes(open: () => Promise<TestDatabase>): void {
  const all = drawnAxes(faceDimensions, faceDimensions);
  const shorter: readonly SpaceAxes[] = [{ space: "face", axes: all.slice(0, free) }];
  const things = { collection: "things" };
  let database: TestDatabase;
  let store: PostgresStore;
  let rows: readonly VectorEnvelope[];
  beforeAll(async () => {
    database = await open();
    const made = thingsWithVectors(all);
    rows = made.rows;
    store = await openStore(database, made);
    for (let at = 0; at < rowsCount; at += 400)
      await store.writeRows("things", rows.slice(at, at + 400), null);
    await database.pool.query("analyze medley_internal.things_g1");
  }, 60_000);
  afterAll(() => database.close());

  /** What a graph is over and what is asked of it, as SQL, for a query that is a row's vector. */
  const graphSql = async (kind: "fused" | "graph") => {
    const { rows: found } = await database.pool.query<{ vector: string; asked: string; read: string }>(
      `select medley_internal.graph_vector(found, kind, path.start, shortened, schema) as vector,
  medley_internal.graph_rows(found, to_jsonb(path), 'true') as read,
  case kind when 'fused' then medley_internal.scaled(found.spaces, shortened, asked, false, schema) else asked end as asked
from medley_internal.collections as found, medley_internal.search_paths(found) as path, medley_internal.vector_schema() as schema,
  lateral (select format('medley_internal.shortened_query((select c from medley_internal.collections as c), %L, %L::%s.halfvec)',
    to_jsonb(path), (
      select l2_normalize(subvector(embedding, path.start, path.dimensions)) from medley.things where id = 'thing-0003'
    ), schema) as asked) as query
where kind = $1 and path.start = 1`,
      [kind],
    );
    return found[0] as (typeof found)[0];
  };

  test("along as many axes as there are dimensions, each score is what it was", async () => {
    await writeGraphAxes(database.connectionString, things, [{ space: "face", axes: all }]);
    expect(await readGraphDimensions(database.pool, things)).toEqual({ ofRows: 34, ofGraphs: 34 });
    const { vector, asked } = await graphSql("fused");
    const { rows: compared } = await database.pool.query<{ graph: number; score: number; faceless: boolean }>(
      `select -((${vector}) <#> (${asked})) / 2.5 as graph, inner_product(embedding, l2_normalize(
  (select embedding from medley.things where id = 'thing-0003'))) as score, l2_norm(subvector(embedding, 1, 24)) = 0 as faceless
from medley.things`,
    );
    expect(compared.filter(({ faceless }) => faceless)).toHaveLength(rowsCount / 11);
    for (const { graph, score } of compared) expect(Math.abs(graph - score)).toBeLessThan(4e-3);
  });

  test("graphs are built over as many dimensions, are read, and all dimensions choose of what they give", async () => {
    await writeGraphAxes(database.connectionString, things, shorter);
    expect(await readGraphDimensions(database.pool, things)).toEqual({ ofRows: 34, ofGraphs: 16 });
    await buildIndex(database.connectionString, "things");
    const indexes = await readPathIndexes(database.pool, "things");
    const built = indexes.map(({ space, dimensions, valid }) => [space, dimensions, valid]);
    expect(built).toEqual([
      [null, 16, true],
      ["face", 6, true],
      ["size", 2, true],
      ["mark", 8, true],
    ]);
    for (const [kind, index] of [
      ["fused", "things_g1_hnsw"],
      ["graph", "things_g1_space_1"],
    ] as const) {
      const { read } = await graphSql(kind);
      const { rows: plan } = await database.pool.query<{ "QUERY PLAN": string }>(
        `explain (generic_plan) ${read}`,
      );
      expect(plan.map((line) => line["QUERY PLAN"]).join("\n")).toContain(`Index Scan using ${index}`);
    }
    await analyzeSearch(database.connectionString, "things", { secondsMax: 1 });
    // A scan of so few rows is cheap.
    await database.pool.query("update medley_internal.search_statistics set scan_ms = 1e5, score_ms = 1e5");
    let found = 0;
    const asked = rows.filter((_, n) => n % 44 === 3);
    for (const { id } of asked) {
      const one = { ...things, like: id, k: 10, weights: { face: 2 } };
      expect(await store.explainSearch(one)).toMatchObject({ method: "paths" });
      const hits = await store.search(one);
      const exact = new Map((await store.search({ ...one, recall: 1 })).map((hit) => [hit.id, hit.score]));
      for (const hit of hits) {
        if (!exact.has(hit.id)) continue;
        found += 1;
        expect(hit.score).toBe(exact.get(hit.id));
      }
    }
    expect(found / asked.length).toBeGreaterThan(9.5);
  }, 120_000);

  test("a row that is written later is found by them", async () => {
    const [first] = rows as readonly [VectorEnvelope];
    const late = { ...first, id: "late", vector: (rows[3] as VectorEnvelope).vector };
    await store.writeRows("things", [late], null);
    const hits = await store.search({ ...things, like: "thing-0003", k: 2 });
    expect(hits.map(({ id }) => id)).toEqual(["late", "thing-0003"]);
    await store.writeRows(
      "things",
      [{ ...late, op: "delete", version: version(2n), vector: new Float16Array(0) }],
      null,
    );
  });

  test("while they are there, there are no others; without them what was learned is forgotten", async () => {
    await expect(writeGraphAxes(database.connectionString, things, [])).rejects.toMatchObject({
      code: "usage",
      mend: expect.stringContaining("medley index things --drop"),
    });
    expect((await database.pool.query("select from medley_internal.search_statistics")).rows).toHaveLength(1);
    await dropIndex(database.connectionString, "things");
    expect(await readGraphDimensions(database.pool, things)).toMatchObject({ ofGraphs: 16 });
    await writeGraphAxes(database.connectionString, things, []);
    expect(await readGraphDimensions(database.pool, things)).toMatchObject({ ofGraphs: 34 });
    expect((await database.pool.query("select from medley_internal.search_statistics")).rows).toEqual([]);
  });

  test("a sample is of rows as they are stored, the same each time", async () => {
    const sampled = await sampleSpaces(database.pool, things, 300);
    expect(sampled.map(({ space, encoder, dimensions }) => [space, encoder, dimensions])).toEqual([
      ["face", "vector", 24],
      ["size", "number", 2],
      ["mark", "vector", 8],
    ]);
    const marks = sampled[2]?.values as Float32Array;
    expect(marks).toHaveLength(300 * 8);
    const known = new Set(rows.map(({ vector }) => Array.from(vector.subarray(26)).join()));
    for (let row = 0; row < 300; row++)
      expect(known).toContain(Array.from(marks.subarray(8 * row, 8 * row + 8)).join());
    expect(await sampleSpaces(database.pool, things, 300)).toEqual(sampled);
    const whole = await sampleSpaces(database.pool, things, 10 * rowsCount);
    expect(whole[0]?.values).toHaveLength(rowsCount * faceDimensions);
  });
}
