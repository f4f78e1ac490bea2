import { nodesFile } from "@medley/models";
import { expect, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import type { TrainedModel } from "../trained-model.ts";
import { adjacencyOf, type Edge } from "./adjacency.ts";
import { embedNodes, trainNode2Vec } from "./node2vec.ts";

function clique(name: string): Edge[] {
  const ids = Array.from({ length: 8 }, (_, at) => `${name}${at}`);
  return ids.flatMap((from, at) => ids.slice(at + 1).map((to) => ({ from, to })));
}
const bridge = { from: "a0", to: "b0" };
const cliques = [...clique("a"), ...clique("b"), bridge];
const options = { dimensions: 16, seed: 1 };

/** What the artefact says of nodes, as the worker serves it. */
async function vectorsOf(
  model: TrainedModel,
  nodes: readonly { id: string; edges?: Record<string, number> }[],
): Promise<number[][]> {
  const table = await encodeValues(
    model,
    nodes.map(({ id, edges = {} }) => ({ id, edges })),
  );
  return nodes.map((_, at) => [...table.values.subarray(16 * at, 16 * (at + 1))]);
}

const cosine = (a: readonly number[] = [], b: readonly number[] = []) =>
  a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);

test("nodes of a clique are nearer to each other than to those across the bridge", async () => {
  const model = await trainNode2Vec(cliques, options);
  const nodes = ["a", "b"].flatMap((name) => Array.from({ length: 8 }, (_, at) => ({ id: `${name}${at}` })));
  const vectors = await vectorsOf(model, nodes);
  const within: number[] = [];
  const across: number[] = [];
  for (const [i, { id }] of nodes.entries()) {
    for (const [j, other] of nodes.entries()) {
      if (j > i) (id[0] === other.id[0] ? within : across).push(cosine(vectors[i], vectors[j]));
    }
  }
  expect(Math.min(...within)).toBeGreaterThan(Math.max(...across));
});

test("a node that was not there is the weighted mean of its neighbours; one that knows nobody says nothing", async () => {
  const model = await trainNode2Vec(cliques, options);
  const [a, b, middle, alone] = await vectorsOf(model, [
    { id: "a3" },
    { id: "b3" },
    { id: "new", edges: { a3: 3, b3: 1, stranger: 5 } },
    { id: "new", edges: { stranger: 1 } },
  ]);
  const mean = (a as number[]).map((value, at) => 0.75 * value + 0.25 * ((b as number[])[at] as number));
  const norm = Math.hypot(...mean);
  for (const [at, value] of mean.entries()) expect(middle?.[at]).toBeCloseTo(value / norm, 5);
  expect(alone).toEqual(new Array(16).fill(0));
});

test("the artefact serves the trained vectors", async () => {
  const graph = await adjacencyOf(cliques);
  const { vectors } = await embedNodes(graph, options);
  const served = await vectorsOf(
    await trainNode2Vec(cliques, options),
    graph.ids.map((id) => ({ id })),
  );
  for (const [at, value] of served.flat().entries()) expect(value).toBeCloseTo(vectors[at] as number, 5);
});

test("nodes that no walk brings together with another are left out", async () => {
  const edges = [bridge, { from: "self", to: "self" }];
  const { files, manifest } = await trainNode2Vec(edges, options);
  expect(JSON.parse(new TextDecoder().decode(files.get(nodesFile)))).toEqual(["a0", "b0"]);
  expect(manifest).toMatchObject({ kind: "node2vec", dimensions: 16, nodes: 2 });
});

test("the same seed gives the same artefact, bit by bit", async () => {
  const weighted = cliques.map((edge, at) => ({ ...edge, weight: 1 + (at % 3) }));
  const train = (seed: number) =>
    trainNode2Vec(weighted, { ...options, seed, p: 0.5, q: 2, negativesBy: "degree" });
  const first = await train(1);
  expect(await train(1)).toEqual(first);
  expect((await train(2)).files).not.toEqual(first.files);
});

test.for([
  ["no edges", []],
  ["an edge of a node to itself", [{ from: "a", to: "a" }]],
] satisfies [string, Edge[]][])("%s can't be trained on", async ([, edges]) => {
  await expect(trainNode2Vec(edges, options)).rejects.toMatchObject({
    code: "training_data_invalid",
    message: "the graph has no edge between two nodes",
  });
});

test("what was trained until the signal is kept", async () => {
  const stop = new AbortController();
  const losses: number[] = [];
  let done = 0;
  const settings = { ...options, walksPerNode: 2000, signal: stop.signal };
  const { metrics, files } = await trainNode2Vec(cliques, {
    ...settings,
    onProgress: (progress) => {
      if (progress.loss !== undefined) losses.push(progress.loss);
      done = progress.done;
      if (progress.done >= progress.total / 4) stop.abort();
    },
  });
  expect(done).toBeLessThan(16 * 1000);
  expect(metrics["train/pairs"]).toBeGreaterThan(0);
  expect(files.has("model.onnx")).toBe(true);
  // Of vectors that say nothing it is 2 log 2 = 1.386.
  expect(losses.at(-1)).toBeLessThan(1.2);
  await expect(trainNode2Vec(cliques, settings)).rejects.toThrow("aborted");
});
