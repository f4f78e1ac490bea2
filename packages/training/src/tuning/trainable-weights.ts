import type { Graph, GraphNode } from "../engine/graph.ts";
import type { Value } from "../engine/value.ts";

/** Products whose second factor is a layer's matrix or kernel; a third input is its bias. */
const products = new Set(["MatMul", "Gemm", "Conv"]);
const norms = new Set(["LayerNormalization", "InstanceNormalization", "GroupNormalization"]);

/**
 * The weights that a graph of an existing file computes with: matrices and kernels, biases, scales and offsets of norms, in the
 * graph's order. Not what is constant by design: masks, positions, factors, statistics of a frozen batch norm.
 */
export function trainableWeights(graph: Graph): Value[] {
  const found = new Set<Value>();
  for (const node of graph.nodes) for (const value of weightsOf(graph, node)) found.add(value);
  return [...found];
}

function weightsOf(graph: Graph, { opType, inputs, outputs }: GraphNode): Value[] {
  const stored = (value: Value | null | undefined): value is Value =>
    value !== null && value !== undefined && value.type === "float32" && graph.isConstant(value);
  const activation = inputs[0];
  if (products.has(opType)) {
    if (stored(activation)) return [];
    return inputs.slice(1).filter(stored);
  }
  if (norms.has(opType)) return inputs.slice(1, 3).filter(stored);
  if (opType !== "Add" && opType !== "Mul") return [];
  // A bias or scale of a layer: one number per feature of what it is put on.
  const width = outputs[0]?.shape.at(-1);
  return inputs
    .filter(stored)
    .filter(({ rank, shape }) => rank === 1 && shape[0] === width && (width as number) > 1);
}
