import { type Collection, checkConfig, type NodeInput, type Space } from "@medley/core";
import type { TrainingRecord } from "@medley/training";
import { expect, test } from "vitest";
import { nodeInputs, withSegments } from "./graph-nodes.ts";

const [{ spaces }] = checkConfig({
  collections: {
    papers: {
      fields: { year: "number", cites: "edges" },
      spaces: {
        year: { encoder: "number", field: "year", range: [1900, 2030] },
        graph: { encoder: "graphsage", field: "cites", features: ["year"], dimensions: 4 },
      },
    },
  },
}) as [Collection];
const graph = spaces[1] as Space;

function papers(edges: Readonly<Record<string, NodeInput["edges"] | null>>): readonly TrainingRecord[] {
  const records = Object.entries(edges).map(([id, cites]) => ({ id, fields: { cites } }));
  const values = Float32Array.from(records.flatMap((_, n) => [n, 1]));
  return withSegments(records, [{ values, dimensions: 2 }]);
}

/** By id. */
const inputsOf = (records: readonly TrainingRecord[]) => {
  const inputOf = nodeInputs(graph, records);
  return new Map(records.map((record) => [record.id, inputOf(record)]));
};

test("a node has its segments and those it has edges with either way, two steps far, with what they are", () => {
  const inputs = inputsOf(papers({ a: { b: 2 }, b: { c: 2, nobody: 1 }, c: { b: 1, c: 5 }, none: null }));
  const leaf = { neighbours: [] };
  expect(inputs.get("b")).toMatchObject({
    ...{ id: "b", edges: { c: 2, nobody: 1 }, features: Float32Array.of(1, 1) },
    neighbours: [
      { id: "a", weight: 2, features: Float32Array.of(0, 1), neighbours: [{ id: "b", weight: 2, ...leaf }] },
      {
        ...{ id: "c", weight: 3, features: Float32Array.of(2, 1) },
        neighbours: [
          { id: "b", weight: 3, ...leaf },
          { id: "c", weight: 5, ...leaf },
        ],
      },
      { id: "nobody", weight: 1, features: null },
    ],
  });
  expect(inputs.get("none")).toBeNull();
});

test("of a hub the same few neighbours are drawn each time, from all of them", () => {
  const names = Array.from({ length: 60 }, (_, n) => `leaf${n}`);
  const records = papers({ hub: {}, ...Object.fromEntries(names.map((name) => [name, { hub: 1 }])) });
  const [first, again] = [inputsOf(records), inputsOf(records)];
  const ids = first.get("hub")?.neighbours?.map(({ id }) => id) ?? [];
  expect(ids).toHaveLength(25);
  expect(ids.toSorted()).not.toEqual(names.toSorted().slice(0, 25));
  expect(first.get("leaf7")?.neighbours?.[0]?.neighbours).toHaveLength(10);
  expect(again).toEqual(first);
});
