import { segmentHashBytes, type Version } from "@medley/core";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrate } from "../migrations/migrate.ts";
import { openPostgresStore, type PostgresStore } from "../postgres-store.ts";
import { openStore, type TestDatabase, tombstone } from "../test-database.fixture.ts";
import {
  type Edges,
  graphHash,
  graphHashFrom,
  graphSegment,
  type Paper,
  paper,
  papersLayout,
  yearHash,
} from "./papers.fixture.ts";

const name = "papers";
const of = { collection: name, generation: 1 };

/** Neighbours as they are read, those who hear of a change, and the writes of refreshes: promises P1, P3 and P4. */
export function describeRefreshes(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  let store: PostgresStore;
  beforeAll(async () => {
    database = await open();
    store = await openStore(database, papersLayout(name));
  });
  beforeEach(async () => {
    await database.pool.query(`truncate medley_internal.${name}_g1, medley_internal.graph_edge,
  medley_internal.graph_change, medley_internal.graph_refresh`);
  });
  afterAll(() => database.close());

  const write = (...papers: Paper[]) =>
    store.writeRows(
      name,
      papers.map((one) => paper(one)),
      null,
    );
  /** Who waits, once all changes are spread. */
  const heardBy = async () => {
    while ((await store.spreadChanges()).changes > 0);
    const ids: string[] = [];
    for (let batch = await store.takeRefreshes(of); batch !== null; batch = await store.takeRefreshes(of)) {
      ids.push(...batch.ids);
      await store.finishRefreshes(batch, []);
    }
    return ids.sort();
  };
  /** a -> b -> c -> d -> e, and z that is far from all. */
  const chain = async () => {
    await write(
      ...["a", "b", "c", "d", "e"].map((id, at, all): Paper => {
        const next = all[at + 1];
        return { id, version: 1, year: 2000 + at, edges: next === undefined ? {} : { [next]: 2 } };
      }),
      { id: "z", version: 1, year: 1990, edges: {} },
    );
    await heardBy();
  };

  test("neighbours are those that edges lead to and those whose edges lead here, with what they are now", async () => {
    await chain();
    const read = await store.readNeighbourhoods(of, "graph", [
      { id: "c", edges: { d: 2, nobody: 1 } },
      { id: "z", edges: {} },
      { id: "new", edges: { a: 1 } },
    ]);
    const leaf = { neighbours: [] };
    expect(read.get("c")?.neighbours).toMatchObject([
      {
        ...{ id: "b", weight: 2, features: Float32Array.of(2001, 1) },
        neighbours: [
          { id: "a", weight: 2, features: Float32Array.of(2000, 1), ...leaf },
          { id: "c", weight: 2, features: Float32Array.of(2002, 1), ...leaf },
        ],
      },
      { id: "d", features: Float32Array.of(2003, 1), neighbours: [{ id: "c" }, { id: "e" }] },
      { id: "nobody", weight: 1, features: null, neighbours: [] },
    ]);
    expect(read.get("z")?.neighbours).toEqual([]);
    expect(read.get("new")?.neighbours).toMatchObject([{ id: "a", neighbours: [{ id: "b" }] }]);
    // Whose neighbours' features changed has another state; a tombstone says nothing.
    await write({ id: "e", version: 2, year: 1, edges: {} });
    const stateOf = async () =>
      (await store.readNeighbourhoods(of, "graph", [{ id: "c", edges: { d: 2, nobody: 1 } }])).get("c");
    expect((await stateOf())?.state).not.toEqual(read.get("c")?.state);
    await store.writeRows(name, [tombstone("d", 2)], null);
    expect((await stateOf())?.neighbours.map(({ id }) => id)).toEqual(["b", "nobody"]);
  });

  test("of a hub the same few neighbours are drawn each time", async () => {
    const leaves = Array.from({ length: 60 }, (_, n): Paper => {
      return { id: `leaf${n}`, version: 1, year: n, edges: { hub: 1 } };
    });
    await write({ id: "hub", version: 1, year: 1, edges: {} }, ...leaves);
    const read = async () =>
      (
        await store.readNeighbourhoods(of, "graph", [
          { id: "hub", edges: {} },
          { id: "leaf7", edges: { hub: 1 } },
        ])
      ).values();
    const [hub, leaf] = await read();
    expect(hub?.neighbours).toHaveLength(25);
    expect(leaf?.neighbours[0]?.neighbours).toHaveLength(10);
    expect([...(await read())]).toEqual([hub, leaf]);
  });

  test("what is touched is what is within two steps, and nothing that did not change what it says", async () => {
    await chain();
    await write({ id: "a", version: 2, year: 1999, edges: { b: 2 } });
    expect(await heardBy()).toEqual(["a", "b", "c"]);
    await write({ id: "a", version: 3, year: 1999, edges: { b: 2 }, pages: 7 });
    expect(await heardBy()).toEqual([]);
    await write({ id: "new", version: 1, year: 2020, edges: { e: 1 } });
    expect(await heardBy()).toEqual(["d", "e", "new"]);
    // An edge less: also those it led to.
    await write({ id: "b", version: 2, year: 2001, edges: {} });
    expect(await heardBy()).toEqual(["a", "b", "c", "d"]);
    await store.writeRows(name, [tombstone("d", 2)], null);
    expect(await heardBy()).toEqual(["c", "d", "e", "new"]);
    // Older versions change nothing, and so does the same again.
    await write(
      { id: "a", version: 3, year: 1, edges: { z: 1 } },
      { id: "d", version: 1, year: 1, edges: {} },
    );
    expect(await heardBy()).toEqual([]);
  });

  test("of a change that too many would hear of, those it is cut to are queued, and that it was cut is counted", async () => {
    const leaves = Array.from({ length: 1_200 }, (_, n): Paper => {
      return { id: `leaf${n}`, version: 1, year: n, edges: { hub: 1 } };
    });
    await write({ id: "hub", version: 1, year: 1, edges: {} });
    for (let at = 0; at < leaves.length; at += 400) await write(...leaves.slice(at, at + 400));
    await database.pool.query("truncate medley_internal.graph_change, medley_internal.graph_refresh");
    await write({ id: "hub", version: 2, year: 2, edges: {} });
    expect(await store.spreadChanges()).toEqual({ changes: 1, cut: 1 });
    const { rows } = await database.pool.query(
      "select count(*)::int as rows from medley_internal.graph_refresh",
    );
    expect(rows).toEqual([{ rows: 1_000 }]);
  });

  test("a refresh does not write over a newer version, nor over a refresh of a higher number", async () => {
    await write({ id: "a", version: 1, year: 1, edges: {} });
    await store.spreadChanges();
    const older = await store.takeRefreshes(of);
    await write({ id: "b", version: 1, year: 1, edges: { a: 1 } });
    await store.spreadChanges();
    const newer = await store.takeRefreshes(of);
    if (older === null || newer === null) throw new Error("there are two batches");
    expect(newer.ids.toSorted()).toEqual(["a", "b"]);
    const rowOf = (id: string, fill: number) => ({
      ...{ id, version: 1n as Version },
      encoded: { vector: new Float16Array(8).fill(fill), segmentHashes: new Uint8Array(48).fill(fill) },
    });
    const vectorOf = async (id: string) => (await store.readSegments(name, [id])).get(id)?.vector[0];
    // Found right: its number counts all the same.
    expect(await store.finishRefreshes(newer, [{ ...rowOf("a", 2), encoded: null }, rowOf("b", 2)])).toBe(1);
    expect(await store.finishRefreshes(older, [rowOf("a", 1)])).toBe(0);
    expect([await vectorOf("a"), await vectorOf("b")]).toEqual([1, 2]);
    expect(await store.hasRefreshes()).toBe(false);
    await write({ id: "b", version: 2, year: 9, edges: { a: 1 } });
    await store.spreadChanges();
    const batch = await store.takeRefreshes(of);
    if (batch === null) throw new Error("it waits");
    await write({ id: "b", version: 3, year: 9, edges: { a: 1 } });
    await store.writeRows(name, [tombstone("a", 2)], null);
    const rows = ["a", "b"].map((id) => ({ ...rowOf(id, 5), version: (id === "a" ? 1n : 2n) as Version }));
    expect(await store.finishRefreshes(batch, rows)).toBe(0);
    expect(await vectorOf("b")).toBe(9);
    // It waits again, with what is there by now.
    expect((await store.takeRefreshes(of))?.ids.toSorted()).toEqual(["a", "b"]);
  });

  test("a collection from before is followed from the next migration on, and its rows are refreshed", async () => {
    const layout = papersLayout("older");
    await openStore(database, layout);
    await database.pool.query(`drop trigger cites_graph on medley_internal.older_g1;
alter table medley_internal.older_g1 drop column _refresh_number;
update medley_internal.collections set graphs = null where name = 'older'`);
    await database.pool.query(
      `insert into medley_internal.older_g1 (id, version, indexed_at, segment_hashes, embedding, cites)
values ('x', 1, now(), '\\x00', '[1,1,1,1,1,1,1,1]', '{"y": 1}')`,
    );
    await expect(openPostgresStore({ pool: database.pool, collections: [layout] })).rejects.toMatchObject({
      code: "schema_behind",
    });
    expect(await migrate(database.pool, [layout])).toEqual(["collection older: neighbours"]);
    expect(await migrate(database.pool, [layout])).toEqual([]);
    await store.spreadChanges();
    const reopened = await openPostgresStore({ pool: database.pool, collections: [layout] });
    expect((await reopened.takeRefreshes({ collection: "older", generation: 1 }))?.ids.toSorted()).toEqual([
      "x",
      "y",
    ]);
  });

  /** A process that makes rows of what it is told, as the stages do: reads first, writes some time later. */
  async function* writer(one: Omit<Paper, "version"> | string, version: number) {
    if (typeof one === "string") {
      await store.writeRows(name, [tombstone(one, version)], null);
      return;
    }
    const read = await store.readNeighbourhoods(of, "graph", [one]);
    yield;
    await store.writeRows(name, [paper({ ...one, version }, read.get(one.id)?.state)], null);
  }

  /** A process that refreshes; it may be left alone at each `yield`, for a while or for ever. */
  async function* refresher() {
    await store.spreadChanges();
    yield;
    const batch = await store.takeRefreshes(of);
    if (batch === null) return;
    yield;
    const nodes = await store.readNodes(of, batch.ids);
    const inputs = [...nodes].map(([id, { edges }]) => ({ id, edges: edges.cites as Edges }));
    yield;
    const read = await store.readNeighbourhoods(of, "graph", inputs);
    yield;
    const rows = [...nodes].map(([id, row]) => {
      const hash = hashOf(row, read.get(id)?.state);
      const isRight = Buffer.compare(hash, row.segmentHashes.subarray(graphHashFrom)) === 0;
      const vector = row.vector.slice();
      vector.set(graphSegment(hash), 4);
      const segmentHashes = Buffer.concat([row.segmentHashes.subarray(0, graphHashFrom), hash]);
      return { id, version: row.version as Version, encoded: isRight ? null : { vector, segmentHashes } };
    });
    await store.finishRefreshes(batch, rows);
  }

  type Node = NonNullable<ReturnType<Awaited<ReturnType<PostgresStore["readNodes"]>>["get"]>>;
  const hashOf = (row: Node, state: Uint8Array = new Uint8Array(0)) =>
    graphHash(row.segmentHashes.subarray(0, segmentHashBytes), row.edges.cites ?? {}, state);

  const ids = ["a", "b", "c", "d"];

  /** Nobody is at work any more: whoever has refreshes in hand still is dead. */
  const drain = async () => {
    await database.pool.query(
      "update medley_internal.graph_refresh set leased_until = '-infinity' where leased_until is not null",
    );
    for (let turns = 0; await store.hasRefreshes(); turns += 1) {
      for await (const _ of refresher());
      expect(turns).toBeLessThan(20);
    }
  };
  const expectRight = async () => {
    const nodes = await store.readNodes(of, ids);
    const inputs = [...nodes].map(([of, { edges }]) => ({ id: of, edges: edges.cites as Edges }));
    const read = await store.readNeighbourhoods(of, "graph", inputs);
    for (const [of, row] of nodes) {
      const hash = hashOf(row, read.get(of)?.state);
      const own = row.segmentHashes.subarray(graphHashFrom);
      expect({ of, hash: Buffer.from(own) }).toEqual({ of, hash: Buffer.from(hash) });
      expect(row.vector.slice(4)).toEqual(graphSegment(hash));
      const year = row.segmentHashes.subarray(0, segmentHashBytes);
      expect(Buffer.from(yearHash(row.vector[0] as number))).toEqual(Buffer.from(year));
    }
  };
  const through = async (process: AsyncGenerator<void>, steps = Number.POSITIVE_INFINITY) => {
    for (let at = 0; at < steps && !(await process.next()).done; at += 1);
  };
  const a = { id: "a", year: 1, edges: { b: 1 } };
  const b = { id: "b", year: 1, edges: {} };
  /** At the last one it is done. */
  const places = [0, 1, 2, 3, 4, 5];

  test.for(places)(
    "a row that read before a neighbour changed, written at step %i of the refresh",
    async (place) => {
      await through(writer(b, 1));
      await through(writer(a, 2));
      await drain();
      const late = writer({ ...a, pages: 9 }, 3);
      await through(late, 1);
      await write({ ...b, version: 4, year: 2 });
      const refreshing = refresher();
      await through(refreshing, place);
      await through(late);
      await through(refreshing);
      await drain();
      await expectRight();
      expect((await store.readNodes(of, ["a"])).get("a")?.vector[2]).toBe(9);
    },
  );

  test.for(places.flatMap((place) => [1, 2, 3].map((year) => [place, year] as const)))(
    "a refresh that is at step %i while a neighbour changes, and another refresh hears of it: year %i",
    async ([place, year]) => {
      await through(writer(b, 1));
      await through(writer(a, 2));
      await drain();
      await write({ ...b, version: 3, year: 2 });
      const slow = refresher();
      await through(slow, place);
      await write({ ...b, version: 4, year });
      await through(refresher());
      await through(slow);
      await drain();
      await expectRight();
    },
  );

  const id = fc.constantFrom(...ids);
  const written = fc.record({
    ...{ id, year: fc.constantFrom(1, 2), pages: fc.constantFrom(1, 2) },
    edges: fc.dictionary(id, fc.constant(1), { maxKeys: 2, noNullPrototype: true }),
  });
  /** What goes on next: something begins, one that is under way takes a step, or one dies. */
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        does: fc.constant("write" as const),
        one: fc.oneof({ weight: 5, arbitrary: written }, { weight: 1, arbitrary: id }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ does: fc.constant("refresh" as const) }) },
    { weight: 12, arbitrary: fc.record({ does: fc.constant("go on" as const), which: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("die" as const), which: fc.nat(5) }) },
  );

  test("whatever writes, refreshes and dies in whatever order, each segment ends as its neighbourhood is", async () => {
    const schedule = fc.array(step, { minLength: 20, maxLength: 60 });
    const check = async (
      steps: readonly (typeof schedule extends fc.Arbitrary<(infer S)[]> ? S : never)[],
    ) => {
      await database.pool.query(`truncate medley_internal.${name}_g1, medley_internal.graph_edge,
  medley_internal.graph_change, medley_internal.graph_refresh`);
      let version = 1;
      const underWay: AsyncGenerator<void>[] = [];
      const begin = async (process: AsyncGenerator<void>) => {
        if (!(await process.next()).done) underWay.push(process);
      };
      for (const next of steps) {
        if (next.does === "write") await begin(writer(next.one, version++));
        else if (next.does === "refresh") await begin(refresher());
        else {
          const at = next.which % Math.max(underWay.length, 1);
          const process = underWay[at];
          if (next.does === "die" || (await process?.next())?.done) underWay.splice(at, 1);
        }
      }
      for (const process of underWay) for await (const _ of process);
      await drain();
      await expectRight();
    };
    await fc.assert(fc.asyncProperty(schedule, check), { numRuns: 15 });
  });
}
