/** Generations of rows that hear of their neighbours in a graph. */
import type { CollectionEncoders } from "@medley/pipeline";
import { expect, test } from "vitest";
import "./medley.fixture.ts";
import { deploymentOf, openPapers, papers, papersConfig } from "./papers.fixture.ts";

/** Gives the graph's segments in the rows of a generation, and how many segments models made since the last look. */
function looking({ store, generations, counters }: Awaited<ReturnType<typeof deploymentOf>>) {
  let counted = 0;
  return async (generation: number) => {
    const { layout } = generations.opened.find((one) => one.generation === generation) as CollectionEncoders;
    const { offset } = layout[2] as CollectionEncoders["layout"][number];
    const ids = [...papers.map(({ id }) => id), "new"];
    const rows = await store.readSegments("papers", ids, generation);
    const encoded = counters.segments.encodedByModel - counted;
    counted = counters.segments.encodedByModel;
    const segments = [...rows].map(([id, { vector }]) => [id, [...vector.subarray(offset)]] as const);
    return { encoded, segments: Object.fromEntries(segments) as Readonly<Record<string, number[]>> };
  };
}

test("a graph's space is copied where nothing that it hears is other, else made anew; each generation goes on hearing", async () => {
  await using place = await openPapers();
  await using deployment = await deploymentOf(place);
  await deployment.runStages(["embed", "index"]);
  const configured = async (spaces: object) =>
    place.write("medley.config.json", JSON.stringify(papersConfig(spaces)));
  const look = looking(deployment);
  const isLive = (generation: number) => ({ exitCode: 0, data: { state: "live", generation } });
  const before = await look(1);
  expect(Object.keys(before.segments)).toHaveLength(papers.length);

  // What no neighbour hears of is another.
  await configured({ pages: { encoder: "number", field: "pages", range: [0, 200] } });
  expect((await place.runJson(["plan"])).data.spaces).toMatchObject([
    { space: "year", how: "copied" },
    { space: "pages", how: "encoded" },
    { space: "graph", how: "copied" },
  ]);
  expect(await place.runJson(["apply"])).toMatchObject(isLive(2));
  expect(await look(2), "of no model").toEqual({ encoded: 0, segments: before.segments });

  // Both hear of a change, whichever is written into.
  const heardBoth = async (records: readonly object[]) => {
    await deployment.ingest("papers", records);
    await expect
      .poll(async () => `${JSON.stringify((await look(1)).segments)}`, { timeout: 20_000 })
      .toBe(JSON.stringify((await look(2)).segments));
    await deployment.settled();
    return (await look(2)).segments;
  };
  const told = await heardBoth([{ id: "new", year: 1, pages: 1, cites: { p9: 3 } }]);
  const changed = Object.keys(told).filter((id) => `${told[id]}` !== `${before.segments[id]}`);
  expect(changed.sort()).toEqual(["new", "p10", "p8", "p9"]);
  expect(await place.runJson(["apply", "--rollback"])).toMatchObject({ exitCode: 0 });
  const back = await heardBoth([{ id: "new", year: 20, pages: 1, cites: { p9: 3 } }]);
  expect(back.new).not.toEqual(told.new);
  expect(await place.runJson(["apply", "--rollback"])).toMatchObject({ exitCode: 0 });
  expect(await place.runJson(["apply", "--finish"])).toMatchObject({ exitCode: 0, data: { dropped: 1 } });

  // What neighbours hear is another.
  const years = { encoder: "number", field: "year", range: [0, 40] };
  await configured({ year: years, pages: { encoder: "number", field: "pages", range: [0, 200] } });
  const plan = await place.runJson(["plan"]);
  expect(plan.data.spaces.map(({ how }: { how: string }) => how)).toEqual(["encoded", "copied", "encoded"]);
  await look(2);
  expect(await place.runJson(["apply"])).toMatchObject(isLive(3));
  const renewed = await look(3);
  expect(renewed.encoded).toBeGreaterThanOrEqual(papers.length);
  // As if every record were sent anew.
  await deployment.ingest("papers", papers);
  await deployment.settled();
  const again = await look(3);
  expect(again.encoded).toBe(0);
  expect(again.segments).toEqual(renewed.segments);
  expect(renewed.segments.p3).not.toEqual(before.segments.p3);
  expect(deployment.counters.refreshes).toMatchObject({ cut: 0, failed: 0 });
});
