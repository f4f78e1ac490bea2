import { strict as assert } from "node:assert";
import {
  decodeOnnx,
  encodeOnnx,
  nodeOf,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxNode,
  onnxTypes,
  tensorOf,
} from "./onnx-model.ts";
import { valueInfoOf } from "./value-info.ts";

/** As sentence-transformers names them. */
export type GraphPooling = "cls" | "max" | "mean" | "mean_sqrt_len_tokens" | "lasttoken";

export interface PooledGraphOptions {
  /** The output with the hidden states, [batch, tokens, `hiddenSize`]. */
  readonly hiddenOutput: string;
  readonly hiddenSize: number;
  /** One vector for each, end to end. */
  readonly modes: readonly GraphPooling[];
  /** Whether the vectors are brought to unit length; one of zeros becomes NaN. */
  readonly normalises: boolean;
  /**
   * Whether the model gets one more input `pooledMask`, int64 like the attention mask, with the tokens that count; its
   * ones end where those of the attention mask end. Otherwise the attention mask says it. A text with none of them gets a
   * vector without meaning.
   */
  readonly masksPooling: boolean;
}

export const pooledMask = "medley_pooling_mask";
/** float32 [batch, modes x hiddenSize]. */
export const pooledOutput = "medley_vectors";
const attentionMask = "attention_mask";

/** Range came with version 11. Older exports of text models than that are not known. */
const opsetMin = 11n;

/**
 * A model whose only output is the pooled vectors, made from one whose output is hidden states: on a GPU a vector is all
 * that has to be copied back. Texts are padded after their end. Throws `RangeError` for bytes that are no ONNX, or
 * whose operators are older than version 11.
 */
export function pooledGraph(bytes: Uint8Array, options: PooledGraphOptions): Uint8Array {
  const model = decodeOnnx(bytes);
  const opset = model.opsetImport.find(({ domain }) => (domain ?? "") === "")?.version ?? 0n;
  if (opset < opsetMin) throw new RangeError(`its operators are of version ${opset}, older than ${opsetMin}`);
  const part = new GraphPart(model.graph, opset);
  const mask = options.masksPooling ? pooledMask : attentionMask;
  const vectors = pooledVectors(part, options, mask);
  part.add("Identity", [options.normalises ? unit(part, vectors) : vectors], { output: pooledOutput });
  if (options.masksPooling)
    model.graph.input.push(valueInfoOf(pooledMask, { dataType: onnxTypes.int64, dims: ["batch", "tokens"] }));
  const dimensions = options.modes.length * options.hiddenSize;
  model.graph.output = [
    valueInfoOf(pooledOutput, { dataType: onnxTypes.float32, dims: ["batch", dimensions] }),
  ];
  return encodeOnnx(model);
}

function pooledVectors(
  part: GraphPart,
  { hiddenOutput, modes }: PooledGraphOptions,
  maskInput: string,
): string {
  const hidden = part.cast(hiddenOutput); // Half-precision models give float16.
  const mask = part.cast(maskInput); // [batch, tokens]
  const weights = part.unsqueeze(mask, 2);
  const vectors = modes.map((mode) => {
    if (mode === "cls" && maskInput === attentionMask) {
      return part.add("Gather", [hidden, part.constant("first", [], [0n])], { axis: 1n });
    }
    if (mode === "cls") {
      const first = part.add("ArgMax", [mask], { axis: 1n, keepdims: 1n }); // [batch, 1]
      return tokenAt(part, hidden, mask, first);
    }
    if (mode === "lasttoken") {
      const count = part.reduce("ReduceSum", part.cast(attentionMask), 1, { keepdims: 1n });
      const last = part.add("Sub", [count, part.constant("one", [1], Float32Array.of(1))]);
      return tokenAt(part, hidden, mask, part.cast(last, onnxTypes.int64));
    }
    if (mode === "max") {
      // Adds 0 where the mask is 1; otherwise so much that nothing in a hidden state exceeds it.
      const one = part.constant("one", [1], Float32Array.of(1));
      const penalty = part.add("Mul", [
        part.add("Sub", [weights, one]),
        part.constant("far", [1], Float32Array.of(1e30)),
      ]);
      return part.reduce("ReduceMax", part.add("Add", [hidden, penalty]), 1);
    }
    const sum = part.reduce("ReduceSum", part.add("Mul", [hidden, weights]), 1);
    const count = part.reduce("ReduceSum", mask, 1, { keepdims: 1n });
    const atLeast = part.add("Max", [count, part.constant("least", [1], Float32Array.of(1e-9))]);
    return part.add("Div", [sum, mode === "mean" ? atLeast : part.add("Sqrt", [atLeast])]);
  });
  return part.add("Concat", vectors, { axis: 1n });
}

/** The hidden state of one token of each text. `mask` is [batch, tokens], `index` int64 [batch, 1]. */
function tokenAt(part: GraphPart, hidden: string, mask: string, index: string): string {
  const shape = part.add("Shape", [mask]);
  const tokens = part.add("Gather", [shape, part.constant("second", [], [1n])], { axis: 0n });
  const [start, step] = [part.constant("start", [], [0n]), part.constant("step", [], [1n])];
  const chosen = part.add("Equal", [part.add("Range", [start, tokens, step]), index]); // [batch, tokens]
  const weights = part.unsqueeze(part.cast(chosen), 2);
  return part.reduce("ReduceSum", part.add("Mul", [hidden, weights]), 1);
}

function unit(part: GraphPart, vectors: string): string {
  return part.add("Div", [vectors, part.reduce("ReduceL2", vectors, 1, { keepdims: 1n })]);
}

/** Since which version of the operators an axis is an input and no attribute. */
const axesAreInputSince: Readonly<Record<string, bigint>> = {
  ReduceSum: 13n,
  Unsqueeze: 13n,
  ReduceMax: 18n,
  ReduceL2: 18n,
};

/** Nodes that are put at the end of a graph, under names of their own. */
class GraphPart {
  readonly #graph: OnnxGraph;
  readonly #opset: bigint;

  constructor(graph: OnnxGraph, opset: bigint) {
    this.#graph = graph;
    this.#opset = opset;
  }

  /** Adds a node and returns the name of its output. */
  add(
    opType: string,
    input: readonly string[],
    { output, ...attributes }: { output?: string; axis?: bigint; keepdims?: bigint; to?: bigint } = {},
    lists: readonly OnnxAttribute[] = [],
  ): string {
    const name = output ?? `medley/${this.#graph.node.length}`;
    const numbers = Object.entries(attributes).map(([key, i]): OnnxAttribute => ({ name: key, type: 2, i }));
    const node: OnnxNode = nodeOf(opType, input, name, [...numbers, ...lists]);
    this.#graph.node.push(node);
    return name;
  }

  cast(value: string, to: number = onnxTypes.float32): string {
    return this.add("Cast", [value], { to: BigInt(to) });
  }

  unsqueeze(value: string, axis: number): string {
    return this.#along("Unsqueeze", value, axis, {});
  }

  /** Over one axis, which is gone afterwards unless `keepdims` is 1. */
  reduce(
    opType: "ReduceSum" | "ReduceMax" | "ReduceL2",
    value: string,
    axis: number,
    { keepdims }: { keepdims: bigint } = { keepdims: 0n },
  ): string {
    return this.#along(opType, value, axis, { keepdims });
  }

  /** A scalar has no dims. One of a name is enough. */
  constant(name: string, dims: readonly number[], values: Float32Array | readonly bigint[]): string {
    const full = `medley/${name}`;
    if (!this.#graph.initializer.some((tensor) => tensor.name === full)) {
      const data = values instanceof Float32Array ? values : BigInt64Array.from(values);
      this.#graph.initializer.push(tensorOf(full, dims, data));
    }
    return full;
  }

  #along(opType: string, value: string, axis: number, attributes: { keepdims?: bigint }): string {
    const since = axesAreInputSince[opType];
    assert(since !== undefined, `${opType} has no axes`);
    if (this.#opset >= since) {
      return this.add(opType, [value, this.constant(`axis${axis}`, [1], [BigInt(axis)])], attributes);
    }
    const axes: OnnxAttribute = { name: "axes", type: 7, ints: [BigInt(axis)], floats: [], strings: [] };
    return this.add(opType, [value], attributes, [axes]);
  }
}
