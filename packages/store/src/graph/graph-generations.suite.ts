import type { VectorEnvelope } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  beginGeneration,
  changesLeft,
  dropGeneration,
  noteRows,
  switchGeneration,
} from "../generations/generations.ts";
import type { CollectionLayout } from "../migrations/collection-tables.ts";
import { readCatalogue } from "../migrations/migrate.ts";
import { openPostgresStore, type PostgresStore } from "../postgres-store.ts";
import { openStore, type TestDatabase } from "../test-database.fixture.ts";
import { type Paper, paper, papersLayout } from "./papers.fixture.ts";

const name = "cited";
const before = { collection: name, generation: 1 };
const next = { collection: name, generation: 2 };
const a: Paper = { id: "a", version: 1, year: 2001, edges: { b: 1 } };
const b: Paper = { id: "b", version: 1, year: 2002, edges: {} };

/** Another encoder of the graph. */
function nextLayout(): CollectionLayout {
  const { collection, layout } = papersLayout(name);
  const other = layout.map((one) =>
    one.space === "graph" ? { ...one, encoderIdentity: "graph-encoder-2" } : one,
  );
  return { collection, layout: other };
}

/** Rows of two generations hear of neighbours apart: in each of what these say there. */
export function describeGraphGenerations(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    const first = await openStore(database, papersLayout(name));
    await first.writeRows(name, [paper(a), paper(b)], null);
    const stored = (await readCatalogue(database.pool)).find((one) => one.name === name);
    expect(stored).toBeDefined();
    const asked = { stored: stored as NonNullable<typeof stored>, encoders: {} };
    expect(await beginGeneration(database.pool, nextLayout(), asked)).toBe(2);
    store = await openPostgresStore({ pool: database.pool, collections: [nextLayout()] });
    store.openGeneration(papersLayout(name), 1);
    await heard(before);
  });
  afterAll(() => database.close());

  /** Whose refreshes wait; nothing is written for them. */
  async function heard(of: typeof before): Promise<readonly string[]> {
    while ((await store.spreadChanges()).changes > 0);
    const batch = await store.takeRefreshes(of);
    if (batch === null) return [];
    await store.finishRefreshes(batch, []);
    return batch.ids.toSorted();
  }
  const inNext = (one: Paper): VectorEnvelope => ({ ...paper(one), generation: 2 });
  const rowsOf = async (sql: string) => (await database.pool.query(sql)).rows;
  const switched = (to: typeof before) => switchGeneration(database.pool, to, { drainMsMax: 0 });

  test("rows hear of their neighbours when all that were there are carried", async () => {
    expect(await noteRows(database.pool, next)).toBe(2);
    const changes = await store.takeChanges(name, 2);
    expect(changes?.ids.toSorted()).toEqual(["a", "b"]);
    await store.carryRows(name, [inNext(a)]);
    expect(await heard(next), "b is not there yet").toEqual([]);
    await store.carryRows(name, [inNext({ ...b, year: 1950 })]);
    await store.finishChanges(changes as NonNullable<typeof changes>);
    while ((await store.spreadChanges()).changes > 0);
    const batch = await store.takeRefreshes(next);
    expect(batch).toMatchObject({ ...next, ids: expect.arrayContaining(["a", "b"]) });
    const rows = await store.readNodes(next, ["a"]);
    const { version, vector, segmentHashes } = rows.get("a") as NonNullable<ReturnType<typeof rows.get>>;
    const encoded = { vector: vector.map((value) => value / 2), segmentHashes };
    const refreshed = [{ id: "a", version: version as never, encoded }];
    expect(await store.finishRefreshes(batch as NonNullable<typeof batch>, refreshed)).toBe(1);
    expect(await changesLeft(database.pool, name, 1), "the other hears for itself").toBe(0);
    expect(await switched(next)).toBe(true);
  });

  test("what a neighbour says is what it says in that generation", async () => {
    for (const [of, year] of [
      [before, 2002],
      [next, 1950],
    ] as const) {
      const read = await store.readNeighbourhoods(of, "graph", [{ id: "a", edges: { b: 1 } }]);
      expect(read.get("a")?.neighbours).toMatchObject([{ id: "b", features: Float32Array.of(year, 1) }]);
    }
  });

  test("a change is heard of in the generation that it is written into, and in the other when it is carried", async () => {
    await store.writeRows(name, [inNext({ id: "c", version: 2, year: 2003, edges: { a: 1 } })], null);
    expect(await store.hasRefreshes(), "by live rows").toBe(true);
    expect(await heard(next)).toEqual(["a", "b", "c"]);
    expect([await heard(before), await store.hasRefreshes()]).toEqual([[], false]);
    const changes = await store.takeChanges(name, 1);
    const carried = paper({ id: "c", version: 2, year: 2003, edges: { a: 1 } });
    await store.carryRows(name, [carried]);
    await store.finishChanges(changes as NonNullable<typeof changes>);
    expect([await store.hasRefreshes(), await heard(before)]).toEqual([false, ["a", "b", "c"]]);
  });

  test("what a generation has heard of goes with it", async () => {
    await store.carryRows(name, [paper({ ...a, version: 3, edges: {} })]);
    expect(await dropGeneration(database.pool, before)).toBe(true);
    const graphs = "select distinct graph from medley_internal";
    expect(await rowsOf(`${graphs}.graph_edge`)).toEqual([{ graph: "cited_g2.cites" }]);
    expect(await rowsOf(`${graphs}.graph_change`)).toEqual([]);
    const functions = await rowsOf("select proname from pg_proc where proname like 'cited%cites'");
    expect(functions).toEqual([{ proname: "cited_g2_cites" }]);
    await store.writeRows(name, [inNext({ ...b, version: 4, year: 1951 })], null);
    expect(await heard(next)).toEqual(["a", "b", "c"]);
    const [catalogued] = await readCatalogue(database.pool);
    expect(catalogued).toMatchObject({ generation: 2, graphs: [{ field: "cites" }] });
  });
}
