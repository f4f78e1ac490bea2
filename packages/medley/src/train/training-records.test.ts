import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Collection, checkConfig, type Encoder, succeed } from "@medley/core";
import { collectionEncoders } from "@medley/pipeline";
import { expect, onTestFinished, test } from "vitest";
import { featureSpaces, withFeatures } from "./feature-records.ts";
import { recordsOfFile } from "./training-records.ts";
import { spaceNamed } from "./training-space.ts";

const collections = new Map(
  checkConfig({
    collections: {
      papers: {
        version: "lsn",
        fields: { title: "text", year: "number", cites: "edges" },
        spaces: {
          year: { encoder: "number", field: "year", range: [0, 10] },
          title: { encoder: "text", field: "title" },
          graph: { encoder: "graphsage", field: "cites", features: ["title", "year"], dimensions: 4 },
        },
      },
    },
  }).map((collection) => [collection.name, collection]),
);
const papers = collections.get("papers") as Collection;

async function file(name: string, content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "medley-train-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, name), content);
  return join(directory, name);
}

test("a file is read as often as it takes: without versions, deletes and unknown keys, and what can't be read is counted", async () => {
  const lines = [
    '{"id":"a","title":"one","extra":1}',
    "{",
    '{"id":"b","year":"no"}',
    '{"id":"c","_op":"delete"}',
    '{"id":"d","year":3}',
  ];
  const records = await recordsOfFile(await file("papers.jsonl", lines.join("\n")), papers);
  for (let pass = 0; pass < 2; pass += 1) {
    expect(await Array.fromAsync(records.read())).toEqual([
      { id: "a", fields: { title: "one", year: null, cites: null } },
      { id: "d", fields: { title: null, year: 3, cites: null } },
    ]);
    expect(records.skipped).toMatchObject({ count: 2, first: expect.stringContaining("papers.jsonl:2") });
  }
  const csv = await recordsOfFile(await file("papers.csv", "id,title,cites\na,one,b|c\n"), papers);
  expect(await Array.fromAsync(csv.read())).toEqual([
    { id: "a", fields: { title: "one", year: null, cites: { b: 1, c: 1 } } },
  ]);
});

/** Writes a length of its input into the segment. */
function lengthEncoder(dimensions: number, batches: number[]): Encoder {
  return {
    dimensions,
    identity: `length ${dimensions}`,
    usesModel: false,
    encode: async (values) => {
      batches.push(values.length);
      return values.map((value) => succeed(new Float32Array(dimensions).fill(String(value).length / 3)));
    },
    encodeQuery: async () => new Float32Array(dimensions),
  };
}

test("features are the named spaces' segments in their order, in half precision, a packet at a time", async () => {
  const { space } = spaceNamed(collections, "papers.graph");
  const spaces = featureSpaces(space, papers.spaces);
  expect(spaces.map(({ name }) => name)).toEqual(["title", "year"]);
  const batches: number[] = [];
  const part = { ...papers, spaces };
  const opened = collectionEncoders(part, [lengthEncoder(2, batches), lengthEncoder(1, batches)]);
  const given = Array.from({ length: 150 }, (_, n) => ({
    id: `p${n}`,
    fields: { title: n === 0 ? null : "ab", year: 7, cites: null },
  }));
  async function* source() {
    yield* given;
  }
  const records = await Array.fromAsync(withFeatures(source(), opened, new AbortController().signal));
  const half = new Float16Array([2 / 3, 1 / 3]);
  expect(records).toHaveLength(150);
  expect([...(records[0]?.features ?? [])]).toEqual([0, 0, half[1]]);
  expect([...(records[149]?.features ?? [])]).toEqual([half[0], half[0], half[1]]);
  expect(batches).toEqual([99, 100, 50, 50]);
});

test.for([
  ["papers", "is no space"],
  ["papers.graph.x", "is no space"],
  ["paper.graph", 'no collection "paper"'],
  ["papers.grph", 'no space "grph"'],
])("%s is refused", ([place, message]) => {
  expect(() => spaceNamed(collections, place as string)).toThrow(message);
});
