/** A graph that changes: who hears of it is encoded anew, and nobody else. */
import { expect, test } from "vitest";
import "./medley.fixture.ts";
import { deploymentOf, openPapers, papers } from "./papers.fixture.ts";

test("a new node is heard by its neighbours and theirs: their segments change, no other does, and only these are encoded", async () => {
  await using place = await openPapers();
  await using deployment = await deploymentOf(place);
  // The backfill saw to those who hear of its rows before it ended.
  expect(await deployment.store.hasRefreshes()).toBe(false);
  await deployment.runStages(["embed", "index"]);
  const graph = deployment.collection("papers").layout[2] as { offset: number };
  const segments = async () => {
    const ids = [...papers.map(({ id }) => id), "new"];
    const rows = await deployment.store.readSegments("papers", ids);
    return new Map([...rows].map(([id, { vector }]) => [id, [...vector.subarray(graph.offset)]]));
  };
  /** Whose segment of the graph is another one now, and how many segments its model made. */
  const changeBy = async (...records: object[]) => {
    const before = await segments();
    const { encodedByModel } = deployment.counters.segments;
    await deployment.ingest("papers", records);
    await deployment.settled();
    const after = await segments();
    const ids = new Set([...before.keys(), ...after.keys()]);
    const changed = [...ids].filter((id) => `${before.get(id)}` !== `${after.get(id)}`).sort();
    return { changed, encoded: deployment.counters.segments.encodedByModel - encodedByModel };
  };

  const before = await segments();
  const known = papers[9] as (typeof papers)[number];
  // What no neighbour hears of is nobody's matter.
  expect(await changeBy({ ...known, pages: 50 })).toEqual({ changed: [], encoded: 0 });
  const added = { id: "new", year: 1, pages: 1, cites: { p9: 3 } };
  // Its own comes first of the neighbours as they were, and once more when they have heard of it.
  expect(await changeBy(added)).toEqual({ changed: ["new", "p10", "p8", "p9"], encoded: 5 });
  expect((await segments()).get("new")?.some((value) => value !== 0)).toBe(true);
  // What it says changes with its features, and where it says it with its edges.
  expect((await changeBy({ ...added, year: 20 })).changed).toEqual(["new", "p10", "p8", "p9"]);
  const moved = await changeBy({ ...added, year: 20, cites: { p15: 3 } });
  expect(moved).toEqual({ changed: ["new", "p10", "p14", "p15", "p16", "p8", "p9"], encoded: 8 });
  await changeBy({ id: "new", _op: "delete" });
  const after = await segments();
  for (const { id } of papers) {
    for (const [at, value] of (after.get(id) ?? []).entries())
      expect(value).toBeCloseTo(before.get(id)?.[at] ?? 2, 3);
  }
  expect(deployment.counters.refreshes).toMatchObject({ cut: 0, failed: 0 });
});
