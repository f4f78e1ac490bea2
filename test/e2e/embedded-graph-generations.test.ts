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

/** The papers' rows in their first generation, with what embeds them, and the command with other spaces configured. */
async function openGraph(resources: AsyncDisposableStack) {
  const place = resources.use(await openPapers());
  const deployment = resources.use(await deploymentOf(place));
  await deployment.runStages(["embed", "index"]);
  const look = looking(deployment);
  const before = await look(1);
  expect(Object.keys(before.segments)).toHaveLength(papers.length);
  const configure = (spaces: object) =>
    place.write("medley.config.json", JSON.stringify(papersConfig(spaces)));
  const apply = async (...options: string[]) => {
    const applied = await place.runJson(["apply", ...options]);
    // The embedded engine tells nobody of a switch.
    await deployment.generations.look();
    return applied;
  };
  return { place, deployment, look, before, configure, apply };
}

const isLive = { exitCode: 0, data: { state: "live", generation: 2 } };

test("a space is copied where nothing that it hears is other, and both generations go on hearing", async () => {
  await using resources = new AsyncDisposableStack();
  const { place, deployment, look, before, configure, apply } = await openGraph(resources);
  configure({ pages: { encoder: "number", field: "pages", range: [0, 200] } });
  expect((await place.runJson(["plan"])).data.spaces).toMatchObject([
    { space: "year", how: "copied" },
    { space: "pages", how: "encoded" },
    { space: "graph", how: "copied" },
  ]);
  expect(await apply()).toMatchObject(isLive);
  expect(await look(2), "of no model").toEqual({ encoded: 0, segments: before.segments });

  const heardByBoth = async (records: readonly object[]) => {
    await deployment.ingest("papers", records);
    await deployment.settled();
    const { segments } = await look(2);
    await expect.poll(async () => (await look(1)).segments, { timeout: 20_000 }).toEqual(segments);
    return segments;
  };
  const told = await heardByBoth([{ id: "new", year: 1, pages: 1, cites: { p9: 3 } }]);
  const changed = Object.keys(told).filter((id) => `${told[id]}` !== `${before.segments[id]}`);
  expect(changed.sort()).toEqual(["new", "p10", "p8", "p9"]);
  expect(await apply("--rollback")).toMatchObject({ exitCode: 0 });
  await deployment.ingest("papers", [{ id: "new", year: 20, pages: 1, cites: { p9: 3 } }]);
  await deployment.settled();
  const back = (await look(1)).segments;
  expect(back.new).not.toEqual(told.new);
  await expect.poll(async () => (await look(2)).segments, { timeout: 20_000 }).toEqual(back);
});

test("it is made anew where what neighbours say is other, as if every record were sent anew", async () => {
  await using resources = new AsyncDisposableStack();
  const { place, deployment, look, before, configure, apply } = await openGraph(resources);
  configure({ year: { encoder: "number", field: "year", range: [0, 40] } });
  const { data: plan } = await place.runJson(["plan"]);
  expect(plan.spaces.map(({ how }: { how: string }) => how)).toEqual(["encoded", "copied", "encoded"]);
  expect(plan.rowsPerSecond).toBeGreaterThan(0);
  expect(await apply()).toMatchObject(isLive);
  const renewed = await look(2);
  expect(renewed.encoded).toBeGreaterThanOrEqual(papers.length);
  expect(renewed.segments.p3).not.toEqual(before.segments.p3);
  await deployment.ingest("papers", papers);
  await deployment.settled();
  expect(await look(2)).toEqual({ encoded: 0, segments: renewed.segments });
  expect(deployment.counters.refreshes).toMatchObject({ cut: 0, failed: 0 });
});
