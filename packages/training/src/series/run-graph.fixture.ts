/** Values of a graph as ONNX Runtime computes them. */

import { Random } from "@medley/core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph, type GraphOptions, type Shape, type Value } from "../engine/index.ts";

export type Tensors = Readonly<Record<string, { shape: Shape; data: Float32Array }>>;

/** Each output of `build`, flattened, whole numbers too; parameters are what the graph's options say. */
export async function runGraph<Output extends string>(
  inputs: Tensors,
  build: (graph: Graph, values: Readonly<Record<string, Value>>) => Record<Output, Value>,
  options: GraphOptions = { trained: new Map() },
): Promise<Record<Output, number[]>> {
  const graph = new Graph(options);
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape }]) => [name, graph.input(name, shape)]),
  );
  const outputs = build(graph, values);
  const session = await InferenceSession.create(graph.model(new Map(Object.entries(outputs))));
  const feeds = Object.entries(inputs)
    .filter(([name]) => session.inputNames.includes(name))
    .map(([name, { shape, data }]) => [name, new Tensor("float32", data, shape)]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  const numbers = Object.entries(results).map(([name, { data }]) => [
    name,
    Array.from(data as Float32Array, Number),
  ]);
  return Object.fromEntries(numbers);
}

/** Normal numbers that follow from `seed`. */
export function normals(count: number, seed = 1): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
}

/** The parameters that a model draws, by name, and what else training would have carried. */
export function drawn(build: (graph: Graph) => void, seed = 1): Map<string, Float32Array> {
  const graph = new Graph({ seed });
  build(graph);
  const all = [...graph.parameters, ...graph.states];
  return new Map(all.map(([name, { initial }]) => [name, initial]));
}
