import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "@medley/core";
import { bundledModels, locateModel } from "@medley/models";
import { decodeOnnx } from "@medley/models/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { linear } from "./layers.ts";
import { crossEntropy, meanSquaredError } from "./losses.ts";
import { readGraph } from "./read-graph.ts";
import { TrainingStep } from "./training-step.ts";

async function defaultModel(): Promise<Uint8Array> {
  const { directory, modelFile } = await locateModel(bundledModels[0] as string, {});
  return readFile(join(directory, modelFile));
}
const tokens = [2, 7] as const;
const textInputs = {
  input_ids: { shape: tokens, type: "int64" },
  attention_mask: { shape: tokens, type: "int64" },
  token_type_ids: { shape: tokens, type: "int64" },
} as const;
const feedsOf = () => ({
  input_ids: BigInt64Array.from([101, 2023, 2003, 1037, 3185, 102, 0, 101, 9202, 102, 0, 0, 0, 0], BigInt),
  attention_mask: BigInt64Array.from([1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0], BigInt),
  token_type_ids: new BigInt64Array(14),
});

test("a graph that was read computes what its file does", { timeout: 60_000 }, async () => {
  const bytes = await defaultModel();
  const output = decodeOnnx(bytes).graph.output[0]?.name as string;
  const { graph, value } = await readGraph(bytes, { inputs: textInputs, outputs: [output] });
  const model = graph.model(new Map([["hidden", value(output)]]));
  const feeds = Object.fromEntries(
    Object.entries(feedsOf()).map(([name, data]) => [name, new Tensor("int64", data, tokens)]),
  );
  const [ours, theirs] = await Promise.all(
    [model, bytes].map(async (file) => (await InferenceSession.create(file)).run(feeds)),
  );
  const [a, b] = [ours?.hidden?.data as Float32Array, theirs?.[output]?.data as Float32Array];
  expect(a.length).toBe(2 * 7 * 384);
  expect(Math.max(...a.map((value, at) => Math.abs(value - (b[at] as number))))).toBeLessThan(1e-4);
});

test("the last block of a text model is trained from the tensor before it", { timeout: 60_000 }, async () => {
  const bytes = await defaultModel();
  const { graph: file } = decodeOnnx(bytes);
  const output = file.output[0]?.name as string;
  // The hidden states that the last block takes: the last tensor of [2, 7, 384] that block 5 reads and block 4 makes.
  const names = new Set(
    file.node.filter(({ name }) => /layer\.4/.test(name ?? "")).flatMap((node) => node.output),
  );
  const hidden = file.node
    .filter(({ name }) => /layer\.5/.test(name ?? ""))
    .flatMap((node) => node.input)
    .find((name) => names.has(name));
  expect(hidden).toBeDefined();
  const { attention_mask } = textInputs;
  const { graph, value, values } = await readGraph(bytes, {
    inputs: { [hidden as string]: { shape: [2, 7, 384] }, attention_mask },
    outputs: [output],
  });
  for (const each of values.values())
    if (graph.isConstant(each) && each.type === "float32" && each.rank === 2) graph.train(each);
  expect(graph.parameters.size).toBeGreaterThanOrEqual(6);
  const logits = linear("head", value(output).mean([1]), 2);
  const loss = crossEntropy(logits, graph.input("labels", [2, 2]));
  await using step = await TrainingStep.create(graph, loss);
  const random = new Random(1);
  const batch = {
    [hidden as string]: Float32Array.from({ length: 2 * 7 * 384 }, () => random.normal()),
    attention_mask: feedsOf().attention_mask,
    labels: Float32Array.of(1, 0, 0, 1),
  };
  const losses: number[] = [];
  for (let at = 0; at < 12; at += 1) losses.push((await step.train(batch, 1e-3)).loss);
  expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 4);
});

test("a tensor that is neither made nor given is named", async () => {
  const graph = new Graph({ trained: new Map() });
  const out = graph.input("x", [2]).add(graph.input("y", [2]));
  const bytes = graph.model(new Map([["out", out]]));
  await expect(readGraph(bytes, { inputs: { x: { shape: [2] } }, outputs: ["out"] })).rejects.toMatchObject({
    code: "training_unsupported",
    message: 'the graph needs "y", which is neither made in it nor given',
  });
});

test("weights that a file computes from stored ones can be trained", async () => {
  const graph = new Graph({ trained: new Map() });
  const stored = graph.constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  const out = graph.input("x", [4, 3]).matmul(stored.transposed());
  const bytes = graph.model(new Map([["out", out]]));
  const read = await readGraph(bytes, { inputs: { x: { shape: [4, 3] } }, outputs: ["out"] });
  const transposed = [...read.values.values()].filter(({ shape }) => shape.join() === "3,2");
  expect(transposed).toHaveLength(1);
  for (const value of transposed) read.graph.train(value);
  const loss = meanSquaredError(read.value("out"), read.graph.input("y", [4, 2]));
  await using step = await TrainingStep.create(read.graph, loss);
  expect([...step.trained().values()]).toEqual([Float32Array.of(1, 4, 2, 5, 3, 6)]);
});
