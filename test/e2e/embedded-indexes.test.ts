/**
 * What the command says of indexes and holds from then on: graphs over fewer dimensions than the rows have, and fields that filters read. Fitted,
 * built, searched, and followed by the next generation.
 */

import { Random } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const rowsCount = 1_100;
const free = 4;
const random = new Random(3);
const map = Array.from({ length: free }, () => Array.from({ length: 20 }, () => random.normal()));
/** Faces have 20 numbers, but four of them are free. */
const things = Array.from({ length: rowsCount }, (_, n) => {
  const drawn = map.map(() => random.normal());
  const face = Array.from({ length: 20 }, (_, at) =>
    drawn.reduce((sum, x, of) => sum + x * (map[of]?.[at] as number), 0),
  );
  return { id: `t${n}`, name: `thing ${n % 100}`, face, size: n % 90 };
});

const configOf = (sizeMax: number) => ({
  collections: {
    things: {
      fields: { name: "text", face: "vector(20)", size: "number" },
      spaces: {
        face: { encoder: "vector", field: "face" },
        size: { encoder: "number", field: "size", range: [0, sizeMax] },
      },
    },
  },
});

let workplace: Workplace;
beforeAll(async () => {
  workplace = new Workplace(configOf(100));
  workplace.write("things.jsonl", jsonLines(things));
  await workplace.runJson(["backfill", "things.jsonl"]);
});
afterAll(() => workplace[Symbol.asyncDispose]());

const index = (...args: string[]) => workplace.runJson(["index", "things", ...args]);
const best = async (...more: string[]) =>
  (await workplace.runJson(["search", "things", "--like", "t7", "-k", "10", ...more])).data.hits;
const status = async () => (await workplace.runJson(["status"])).data.collections[0];

test("what asks for nothing, or for what can't be, is refused with the mend", async () => {
  expect((await workplace.runJson(["index", "--dimensions", "10"])).error).toMatchObject({
    code: "usage",
    mend: "name one of things",
  });
  expect((await index("--drop", "--dimensions", "10")).error).toMatchObject({ code: "usage" });
  expect((await index("--dimensions", "ten")).exitCode).toBe(2);
  expect((await index("--dimensions", "22")).exitCode).toBe(0);
  expect((await index("--drop")).exitCode).toBe(0);
  expect((await index("--dimensions", "30")).error).toMatchObject({
    code: "usage",
    message: expect.stringContaining("have 22 dimensions: graphs over 30 save none"),
    mend: expect.stringContaining("fewer than 22"),
  });
  expect((await index("--dimensions", "3")).error).toMatchObject({
    code: "usage",
    mend: "give at least 10",
  });
});

test("graphs are built over as many, rows and scores stay what they were, and status says so", async () => {
  const before = await best();
  const { exitCode, data } = await index("--dimensions", "11");
  expect(exitCode).toBe(0);
  expect(data).toMatchObject({
    indexes: [{ collection: "things", state: "built", rows: rowsCount }],
    dimensions: {
      ...{ budget: 11, from: 22, to: 11 },
      spaces: [
        { space: "face", from: 20, to: 9, by: "pca" },
        { space: "size", from: 2, to: 2, by: null },
      ],
    },
  });
  expect(data.dimensions.loss.test.mean).toBeLessThan(0.01);
  expect(await status()).toMatchObject({ dimensions: 22, graphDimensions: 11, index: "ready" });
  expect((await workplace.run(["status"])).stdout).toContain("ready, graphs over 11");
  expect(await best()).toEqual(before);
  expect((await index("--dimensions", "11")).data).toEqual({
    indexes: [expect.objectContaining({ state: "kept" })],
  });
  expect((await index("--dimensions", "15")).error).toMatchObject({
    code: "usage",
    mend: expect.stringContaining("medley index things --drop"),
  });
});

test("fields that filters read are listed", async () => {
  const filter = ["--filter", JSON.stringify({ name: { gte: "thing 95" } })];
  const before = await best(...filter);
  expect(before).toHaveLength(10);
  expect((await index("--filters", "name,colour")).error).toMatchObject({
    code: "usage",
    message: 'collection "things" has no field "colour"',
    mend: "name some of name",
  });
  expect((await index("--filters", "size")).error).toMatchObject({
    message: 'field "size" is served by the index of space "size"',
  });
  expect((await index("--filters", ",")).exitCode).toBe(2);
  expect((await index("--filters", "name")).data).toMatchObject({ indexes: [{ state: "built" }] });
  expect(await best(...filter)).toEqual(before);
  expect((await index("--filters", "name")).data).toMatchObject({ indexes: [{ state: "kept" }] });
});

test("the next generation's graphs are over as many, along axes of its own", async () => {
  workplace.write("medley.config.json", JSON.stringify(configOf(200)));
  const applied = await workplace.runJson(["apply"]);
  expect(applied).toMatchObject({ exitCode: 0, data: { state: "live", generation: 2 } });
  // Ready: that of the listed field is there, too.
  expect(await status()).toMatchObject({ dimensions: 22, graphDimensions: 11, index: "ready" });
  expect((await index()).data).toMatchObject({ indexes: [{ state: "kept" }] });
  expect((await best()).map(({ id }: { id: string }) => id)).toContain("t7");
  expect(await workplace.runJson(["apply", "--finish"])).toMatchObject({ exitCode: 0, data: { dropped: 1 } });
  expect(await status()).toMatchObject({ graphDimensions: 11, index: "ready" });
});

test("all dimensions again", async () => {
  await index("--drop");
  expect(await status()).toMatchObject({ graphDimensions: 11 });
  const all = await index("--dimensions", "all");
  expect(all.error).toBeNull();
  expect(all.data).toMatchObject({ indexes: [{ state: "built" }] });
  expect(await status()).toMatchObject({ graphDimensions: 22, index: "ready" });
});
