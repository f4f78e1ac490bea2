import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Neighbour, type NodeInput, Random } from "@medley/core";
import {
  type Aggregator,
  type FeaturesManifest,
  featuresOf,
  sageLayersFile,
  sageMessagesFile,
  sageNodesFile,
} from "@medley/models";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, onTestFinished, test } from "vitest";
import { encodeValues } from "../encode-values.ts";
import { Graph } from "../engine/graph.ts";
import type { TrainedModel } from "../trained-model.ts";
import { FeatureRows } from "./feature-rows.ts";
import { trainGraphSage } from "./graphsage.ts";
import { SageBatches } from "./sage-batches.ts";
import { readSageNodes, type SageData, type SageNode } from "./sage-data.ts";
import { SageLayers } from "./sage-layers.ts";
import { sampledEmbedding } from "./sage-step.ts";
import { serveSage } from "./serve-sage.ts";
import { walkGraph } from "./walks.ts";

const width = 6;
const names = ["red", "blue"] as const;

/** Two groups of papers that cite within their group; features that lean to a group's half, but not reliably. */
function twoGroups(seed: number, count = 40): SageNode[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, node) => {
    const group = node % 2;
    const features = Float32Array.from({ length: width }, (_, at) => {
      return random.normal() + (at % 2 === group ? 0.5 : 0);
    });
    const targets = Array.from({ length: 3 }, () => 2 * random.below(count / 2) + group);
    const edges = Object.fromEntries(targets.map((target, at) => [`n${target}`, 1 + at]));
    return { id: `n${node}`, edges, features, label: names[group] as string };
  });
}
const nodes = twoGroups(1);
const small = { dimensions: 8, hidden: 16, seed: 1, threads: 1, dropout: 0.1, batchRows: 20 };

const row = (table: { values: Float32Array; dimensions: number }, at: number) =>
  table.values.subarray(at * table.dimensions, (at + 1) * table.dimensions);
const cosine = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);

/** Mean cosine within the groups less that across them. */
function gap(table: { values: Float32Array; dimensions: number }, count: number): number {
  const sums = [0, 0];
  const counts = [0, 0];
  for (let a = 0; a < count; a += 1) {
    for (let b = 0; b < a; b += 1) {
      const across = (a + b) % 2;
      sums[across] = (sums[across] as number) + cosine(row(table, a), row(table, b));
      counts[across] = (counts[across] as number) + 1;
    }
  }
  return (sums[0] as number) / (counts[0] as number) - (sums[1] as number) / (counts[1] as number);
}

async function logitsOf(model: TrainedModel, value: object): Promise<number[]> {
  const features = featuresOf(model.manifest as FeaturesManifest, model.files);
  const inputs = features?.row(value as never);
  if (!inputs?.ok) throw new Error("the value is refused");
  const session = await InferenceSession.create(model.files.get("model.onnx") as Uint8Array);
  const sizes = session.inputMetadata.map((input) => (input.isTensor ? Number(input.shape[1]) : 0));
  let from = 0;
  const feeds = session.inputNames.map((name, at) => {
    const size = sizes[at] as number;
    from += size;
    return [name, new Tensor("float32", inputs.value.slice(from - size, from), [1, size])];
  });
  const { logits } = await session.run(Object.fromEntries(feeds));
  await session.release();
  return [...((logits as Tensor).data as Float32Array)];
}

test.for(["mean", "pool"] as const)(
  "%s: told classes, a node that was not there is put to its neighbours' class",
  async (aggregator) => {
    const model = await trainGraphSage(nodes, { ...small, aggregator, target: "papers.colour", epochs: 40 });
    const table = await encodeValues(model, nodes);
    expect(gap(table, nodes.length)).toBeGreaterThan(0.4);
    expect(model.manifest).toMatchObject({ kind: "graphsage", classes: ["blue", "red"], aggregator });
    const silent = new Float32Array(width);
    const [red, blue] = [
      { n0: 1, n2: 2, n4: 1 },
      { n1: 1, n3: 2, n5: 1 },
    ];
    for (const [edges, place] of [
      [red, 1],
      [blue, 0],
    ] as const) {
      const logits = await logitsOf(model, { id: "new", edges, features: silent });
      expect(logits[place]).toBeGreaterThan(logits[1 - place] as number);
    }
    const fresh = await encodeValues(model, [
      { id: "new", edges: red, features: silent },
      { id: "new", edges: { nobody: 1 }, features: silent },
    ]);
    const nearness = [0, 1].map((group) => {
      const members = nodes.flatMap((_, at) =>
        at % 2 === group ? [cosine(row(fresh, 0), row(table, at))] : [],
      );
      return members.reduce((sum, value) => sum + value) / members.length;
    }) as [number, number];
    expect(nearness[0]).toBeGreaterThan(nearness[1] + 0.3);
    expect([...row(fresh, 1)]).toEqual(new Array(8).fill(0));
  },
);

test.for(["mean", "pool"] as const)(
  "%s: without a target, nodes that walks bring together get alike",
  async (aggregator) => {
    const unlabelled = nodes.map(({ label: _, ...node }) => node);
    const settings = { ...small, aggregator, negatives: 16, epochs: 12 };
    const model = await trainGraphSage(unlabelled, settings);
    const before = await trainGraphSage(unlabelled, { ...settings, epochs: 1, learningRate: 1e-9 });
    const [gapNow, gapBefore] = [
      gap(await encodeValues(model, nodes), nodes.length),
      gap(await encodeValues(before, nodes), nodes.length),
    ];
    expect(gapNow).toBeGreaterThan(0.4);
    expect(gapNow).toBeGreaterThan(gapBefore + 0.2);
    expect(model.manifest).not.toHaveProperty("classes");
  },
);

test.for(["mean", "pool"] as const)(
  "%s: what is served is what was trained, where all neighbours are drawn",
  async (aggregator) => {
    const data = await readSageNodes(nodes);
    const sizes = { features: width, hidden: 16, dimensions: 8, aggregator };
    const initial = new Graph({ seed: 4 });
    new SageLayers(initial, sizes);
    const trained = new Map([...initial.parameters].map(([name, { initial: values }]) => [name, values]));
    const options = { targets: nodes.length, fanout: [20, 20], aggregator, dropout: 0 } as const;
    const graph = new Graph({ trained });
    const embedding = sampledEmbedding(graph, new SageLayers(graph, sizes), sizes, options);
    const batches = new SageBatches(walkGraph(data.adjacency), new FeatureRows(data.features), options);
    const batch = batches.fill([...nodes.keys()], new Random(1));
    const session = await InferenceSession.create(graph.model(new Map([["embedding", embedding.unit()]])));
    const feeds = graph.inputs.map(({ name, shape }) => {
      return [name, new Tensor("float32", batch[name] as Float32Array, shape)];
    });
    const { embedding: expected } = await session.run(Object.fromEntries(feeds));
    await session.release();
    const files = await serveSage(trained, { data, sizes, classCount: 0 });
    const manifest = { kind: "graphsage", dimensions: 8, aggregator, features: width };
    const messages = aggregator === "mean" ? [16, 8] : [16, 16];
    const model = { manifest: { ...manifest, messages }, files, metrics: {}, curves: [] };
    const served = await encodeValues(model, nodes);
    const values = (expected as Tensor).data as Float32Array;
    for (const [at, value] of served.values.entries()) expect(value).toBeCloseTo(values[at] as number, 5);
    // The same where every neighbour speaks by itself, and its neighbours with it: as nodes do that were not trained on.
    const strangers = new Map(files).set(
      sageNodesFile,
      Buffer.from(JSON.stringify(data.ids.map((id) => `_${id}`))),
    );
    const live = await encodeValues({ ...model, files: strangers }, nodes.map(withNeighbours(data)));
    for (const [at, value] of live.values.entries()) expect(value).toBeCloseTo(values[at] as number, 5);
  },
);

/** A node as it is served, with its neighbours and theirs. */
function withNeighbours({ ids, adjacency, features }: SageData) {
  const { offsets, targets, weights } = adjacency;
  const neighboursOf = (node: number, depth: number): Neighbour[] => {
    if (depth === 0) return [];
    const [from, to] = [offsets[node] as number, offsets[node + 1] as number];
    return [...targets.subarray(from, to)].map((other, at) => ({
      id: ids[other] as string,
      weight: weights[from + at] as number,
      features: row(features, other),
      neighbours: neighboursOf(other, depth - 1),
    }));
  };
  return ({ id, edges, features: own }: SageNode, at: number): NodeInput => ({
    ...{ id, edges, features: own },
    neighbours: neighboursOf(at, 2),
  });
}

test("a neighbour without a record says what it said in training, or nothing", async () => {
  const model = await trainGraphSage(nodes, { ...small, epochs: 1, target: "papers.colour" });
  const features = new Float32Array(width).fill(0.5);
  const absent = (id: string): Neighbour => ({ id, weight: 1, features: null, neighbours: [] });
  const node = { id: "new", edges: { n3: 1 }, features };
  const vectors = await encodeValues(model, [
    node,
    { ...node, neighbours: [absent("n3"), absent("nobody")] },
    { ...node, neighbours: [absent("nobody")] },
    { id: "new", edges: {}, features },
    { ...node, features: new Float32Array(width), neighbours: [absent("nobody")] },
  ]);
  const [then, now, unheard, alone, silent] = [0, 1, 2, 3, 4].map((at) => [...row(vectors, at)]);
  expect(now).toEqual(then);
  expect(unheard).toEqual(alone);
  expect(unheard).not.toEqual(then);
  expect(silent).toEqual(new Array(8).fill(0));
});

test("the same seed gives the same artefact, bit by bit", async () => {
  const train = (seed: number) =>
    trainGraphSage(nodes, { ...small, seed, target: "papers.colour", epochs: 2 });
  const first = await train(1);
  expect(await train(1)).toEqual(first);
  expect((await train(2)).files).not.toEqual(first.files);
});

test("a training that is cut off goes on from its checkpoint, to the same bits", async () => {
  const checkpoints = await mkdtemp(join(tmpdir(), "medley-graphsage-"));
  onTestFinished(() => rm(checkpoints, { recursive: true }));
  const settings = { ...small, target: "papers.colour", epochs: 4 };
  const stop = new AbortController();
  const cut = await trainGraphSage(nodes, {
    ...{ ...settings, checkpoints, signal: stop.signal },
    onProgress: ({ stage }) => {
      if (stage === "epoch 3") stop.abort();
    },
  });
  const whole = await trainGraphSage(nodes, settings);
  expect(cut.files.get("model.onnx")).not.toEqual(whole.files.get("model.onnx"));
  expect(await trainGraphSage(nodes, { ...settings, checkpoints })).toEqual(whole);
  const other = trainGraphSage(nodes, { ...settings, checkpoints, hidden: 8 });
  await expect(other).rejects.toMatchObject({ code: "run_damaged" });
});

const [first, second] = nodes as [SageNode, SageNode];
test.for([
  ["no nodes", [], {}, "there are no nodes with features"],
  ["an id twice", [first, first], {}, 'two nodes have the id "n0"'],
  [
    "features of two lengths",
    [first, { ...second, features: new Float32Array(3) }],
    {},
    '"n1" has 3 features',
  ],
  [
    "NaN",
    [first, { ...second, features: new Float32Array(width).fill(Number.NaN) }],
    {},
    "features: 1 of 2 rows",
  ],
  ["one class", [first, { ...second, label: "red" }], { target: "papers.colour" }, "nothing to tell apart"],
  ["no edges to go along", nodes.map((node) => ({ ...node, edges: {} })), {}, "no edges between its nodes"],
] satisfies [string, SageNode[], object, string][])(
  "%s can't be trained on",
  async ([, given, options, message]) => {
    const training = trainGraphSage(given, { ...small, ...options });
    await expect(training).rejects.toMatchObject({ code: "training_data_invalid" });
    await expect(training).rejects.toThrow(message);
  },
);

test("a value of other features fails by itself, damaged files the model", async () => {
  const model = await trainGraphSage(nodes, { ...small, epochs: 1, target: "papers.colour" });
  const manifest = model.manifest as FeaturesManifest;
  const features = featuresOf(manifest, model.files);
  const other = { id: "n0", edges: {}, features: new Float32Array(width + 1) };
  expect(features?.row(other as never)).toMatchObject({ ok: false });
  expect(features?.queryRow({ id: "n0" })).toMatchObject({ ok: false });
  const cut = new Map(model.files).set(sageMessagesFile, new Uint8Array(8));
  expect(() => featuresOf(manifest, cut)).toThrow(sageMessagesFile);
  const short = new Map(model.files).set(sageLayersFile, new Uint8Array(8));
  expect(() => featuresOf(manifest, short)).toThrow(sageLayersFile);
  expect(() => featuresOf({ ...manifest, aggregator: "sum" as Aggregator }, model.files)).toThrow("manifest");
});
