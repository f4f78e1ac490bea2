import { Random } from "@medley/core";
import { expect, test } from "vitest";
import type { VectorTable } from "../evaluation/nearest-neighbours.ts";
import { adjacencyOf } from "./adjacency.ts";
import { FeatureRows } from "./feature-rows.ts";
import { SageBatches } from "./sage-batches.ts";
import { walkGraph } from "./walks.ts";

const ids = ["a", "b", "c", "d", "alone"];
const edges = [
  { from: "a", to: "b", weight: 1 },
  { from: "a", to: "c", weight: 3 },
  { from: "c", to: "d", weight: 1 },
];
const graph = walkGraph(await adjacencyOf(edges, { nodes: ids }));
/** Node i has 1 at place i, so that a row says whose features are in it. */
const oneHot: VectorTable = {
  values: Float32Array.from({ length: 25 }, (_, at) => (at % 6 === 0 ? 1 : 0)),
  dimensions: 5,
};

function rowsOf(values: Float32Array | undefined, width: number): number[][] {
  const list = [...(values as Float32Array)];
  return Array.from({ length: list.length / width }, (_, row) => list.slice(row * width, (row + 1) * width));
}

test("a batch of means: targets and their neighbours, and what each of them hears", () => {
  const options = { targets: 2, fanout: [2, 3], aggregator: "mean", dropout: 0 } as const;
  const batches = new SageBatches(graph, new FeatureRows(oneHot), options);
  const none = [0, 0, 0, 0, 0];
  // Filled twice: nothing is left of the first time.
  batches.fill([2, 1], new Random(1));
  const tensors = batches.fill([0, 4], new Random(1));
  expect(rowsOf(tensors.weights, 2)).toEqual([
    [0.25, 0.75],
    [0, 0],
  ]);
  expect(rowsOf(tensors.features, 5)).toEqual([
    [1, 0, 0, 0, 0],
    [0, 0, 0, 0, 1],
    [0, 1, 0, 0, 0],
    [0, 0, 1, 0, 0],
    none,
    none,
  ]);
  expect(rowsOf(tensors["heard-features"], 5)).toEqual([
    [0, 0.25, 0.75, 0, 0],
    none,
    [1, 0, 0, 0, 0],
    [0.75, 0, 0, 0.25, 0],
    none,
    none,
  ]);
});

test("a batch to be pooled: the features of each neighbour, and which there are", () => {
  const options = { targets: 1, fanout: [2, 2], aggregator: "pool", dropout: 0 } as const;
  const tensors = new SageBatches(graph, new FeatureRows(oneHot), options).fill([0], new Random(1));
  expect(rowsOf(tensors["neighbour-weights"], 2)).toEqual([
    [0.25, 0.75],
    [1, 0],
    [0.75, 0.25],
  ]);
  const whose = rowsOf(tensors["neighbour-features"], 5).map((row) => row.indexOf(1));
  expect(whose).toEqual([1, 2, 0, -1, 0, 3]);
});

test("of more neighbours than fit, some are drawn by their weights", () => {
  const options = { targets: 1, fanout: [1, 1], aggregator: "mean", dropout: 0 } as const;
  const batches = new SageBatches(graph, new FeatureRows(oneHot), options);
  const random = new Random(2);
  let heavy = 0;
  for (let round = 0; round < 4000; round += 1) {
    const tensors = batches.fill([0], random);
    expect(tensors.weights).toEqual(Float32Array.of(1));
    heavy += rowsOf(tensors.features, 5)[1]?.[2] ?? 0;
  }
  // Three standard deviations.
  expect(Math.abs(heavy / 4000 - 0.75)).toBeLessThan(0.021);
});

test("rows of few numbers and of many are added alike, and a dropped share is made up for", () => {
  const dense = { values: Float32Array.from({ length: 40 }, (_, at) => at + 1), dimensions: 20 };
  const sparse = { values: new Float32Array(800), dimensions: 400 };
  for (let at = 0; at < 20; at += 1) sparse.values[400 + 20 * at] = at + 21;
  for (const [table, step] of [
    [dense, 1],
    [sparse, 20],
  ] as const) {
    const into = new Float32Array(table.dimensions + 3).fill(1);
    new FeatureRows(table).add(1, 0.5, into, 2, 0, new Random(1));
    const expected = Float32Array.from({ length: 20 }, (_, at) => 1 + (at + 21) / 2);
    expect(Float32Array.from({ length: 20 }, (_, at) => into[2 + at * step] as number)).toEqual(expected);
    const rows = new FeatureRows(table);
    const random = new Random(1);
    const sum = new Float32Array(table.dimensions);
    for (let round = 0; round < 2000; round += 1) rows.add(1, 1 / 2000, sum, 0, 0.5, random);
    const seen = Array.from({ length: 20 }, (_, at) => (sum[at * step] as number) / (at + 21));
    expect(Math.max(...seen.map((share) => Math.abs(share - 1)))).toBeLessThan(0.1);
    const once = new Float32Array(table.dimensions);
    rows.add(1, 1, once, 0, 0.5, random);
    const kept = once.filter((value) => value !== 0).length;
    expect(kept).toBeGreaterThan(3);
    expect(kept).toBeLessThan(17);
  }
});
