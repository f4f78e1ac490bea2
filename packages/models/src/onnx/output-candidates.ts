import { decodeOnnx, type OnnxGraph, type OnnxNode, onnxTypes } from "./onnx-model.ts";
import { declaredTypeOf, type OnnxDimension } from "./value-info.ts";

/** A tensor that may serve as an embedding. */
export interface OutputCandidate {
  readonly name: string;
  /** As far as the model says; null for one of unknown size. The first is the batch. */
  readonly dims: readonly OnnxDimension[] | null;
  readonly why: "an output of the model" | "what the classifier reads" | "pooled features";
}

const classifiers = ["Gemm", "MatMul"];
const pools = ["GlobalAveragePool", "GlobalMaxPool", "ReduceMean"];
/** They keep what a position of the channel axis stands for. */
const perElement = [
  ...[
    "Relu",
    "LeakyRelu",
    "Clip",
    "Sigmoid",
    "HardSigmoid",
    "HardSwish",
    "Tanh",
    "Erf",
    "Gelu",
    "Softmax",
    "LogSoftmax",
  ],
  ...["Identity", "Cast", "Dropout", "BatchNormalization", "Add", "Sub", "Mul", "Div"],
];
/** They do so too after a pool, which leaves one position per channel. */
const reshaping = ["Flatten", "Squeeze", "Reshape", "Transpose", "Unsqueeze"];
/** What turns stored weights back into those that are used. */
const unfolding = ["Cast", "Identity", "DequantizeLinear", "Mul", "Reshape", "Transpose"];
/** A classifier is the last thing in a model: no need to look further back than that. */
const nodesBackMax = 64;

type Producers = ReadonlyMap<string, OnnxNode>;

function producersOf(graph: OnnxGraph): Producers {
  return new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
}

/**
 * Tensors of a model that may be its embedding: its outputs but class scores, what its last matrix (the classifier)
 * reads, and pooled features before it. Nearest to the end first. Throws `RangeError` for bytes that are no ONNX.
 */
export function outputCandidates(bytes: Uint8Array): OutputCandidate[] {
  const { graph } = decodeOnnx(bytes);
  const producers = producersOf(graph);
  const found = new Map<string, OutputCandidate>();
  const add = (name: string, why: OutputCandidate["why"]): void => {
    const type = declaredTypeOf(graph, name);
    if (type !== null && type.dataType !== onnxTypes.float32) return;
    const channels = channelsOf(graph, name);
    const dims = type?.dims ?? (channels === null ? null : [null, channels]);
    if (!found.has(name)) found.set(name, { name, dims, why });
  };
  for (const { name } of graph.output)
    if (!isClassScore(name, producers)) add(name, "an output of the model");
  for (const { name } of graph.output) {
    const visit = (tensor: string, left: number, afterClassifier: boolean): void => {
      const node = producers.get(tensor);
      if (node === undefined || left === 0) return;
      if (pools.includes(node.opType)) add(tensor, "pooled features");
      if (classifiers.includes(node.opType)) {
        if (afterClassifier || matrixRows(graph, node) === null) return;
        add(node.input[0] as string, "what the classifier reads");
        visit(node.input[0] as string, left - 1, true);
      } else if ([...perElement, ...reshaping, ...pools].includes(node.opType)) {
        for (const input of node.input) visit(input, left - 1, afterClassifier);
      }
    };
    visit(name, nodesBackMax, false);
  }
  return [...found.values()];
}

/** Whether an output is a classifier's: by its name, or because a softmax makes it. */
function isClassScore(name: string, producers: Producers): boolean {
  if (/logit|prob|score|softmax|class/i.test(name)) return true;
  for (let node = producers.get(name); node !== undefined; node = producers.get(node.input[0] as string)) {
    if (/^(Log)?Softmax$/.test(node.opType)) return true;
    if (node.opType !== "Identity" && node.opType !== "Cast") return false;
  }
  return false;
}

/** The outputs of a model that are no class scores. */
export function featureOutputs(graph: OnnxGraph): string[] {
  const producers = producersOf(graph);
  return graph.output.map(({ name }) => name).filter((name) => !isClassScore(name, producers));
}

/**
 * How many channels a tensor has, from what is declared, from the matrix that reads it, or from the nearest weights
 * before it; null where that does not follow.
 */
export function channelsOf(graph: OnnxGraph, name: string): number | null {
  const declared = declaredTypeOf(graph, name)?.dims;
  const last = declared?.length === 2 || declared?.length === 3 ? declared.at(-1) : declared?.[1];
  if (typeof last === "number") return last;
  const reader = graph.node.find((node) => classifiers.includes(node.opType) && node.input[0] === name);
  return (reader && matrixRows(graph, reader)) ?? channelsBefore(graph, producersOf(graph), name);
}

function channelsBefore(graph: OnnxGraph, producers: Producers, name: string): number | null {
  let pooled = false;
  let reshaped = false;
  let tensor = name;
  for (let back = 0; back < nodesBackMax; back++) {
    const node = producers.get(tensor);
    if (node === undefined) return null;
    const weights = weightDims(graph, producers, node.input[1] ?? "");
    if (pools.includes(node.opType)) pooled = true;
    else if (node.opType === "Conv" && (pooled || !reshaped)) return weights?.[0] ?? null;
    else if (classifiers.includes(node.opType)) return matrixColumns(node, weights);
    else if (node.opType === "LayerNormalization") return weights?.[0] ?? null;
    else if (reshaping.includes(node.opType)) reshaped = true;
    else if (!perElement.includes(node.opType)) return null;
    tensor = node.input.find((input) => producers.has(input) && !isWeights(graph, producers, input)) ?? "";
  }
  return null;
}

function isTransposed(node: OnnxNode): boolean {
  return node.attribute.find((attribute) => attribute.name === "transB")?.i === 1n;
}
function matrixColumns(node: OnnxNode, dims: readonly number[] | null): number | null {
  return dims?.length === 2 ? (dims[isTransposed(node) ? 0 : 1] as number) : null;
}
/** Null where the second factor is no matrix of weights (attention multiplies two activations). */
function matrixRows(graph: OnnxGraph, node: OnnxNode): number | null {
  const dims = weightDims(graph, producersOf(graph), node.input[1] ?? "");
  return dims?.length === 2 ? (dims[isTransposed(node) ? 1 : 0] as number) : null;
}

/** Whether a tensor is made of weights alone, as where they are stored in another type or shape. */
function isWeights(graph: OnnxGraph, producers: Producers, name: string): boolean {
  const node = producers.get(name);
  if (node === undefined) return graph.initializer.some((tensor) => tensor.name === name);
  if (node.opType === "Constant") return true;
  return unfolding.includes(node.opType) && node.input.every((input) => isWeights(graph, producers, input));
}

/** The shape of weights, also where they are stored in another type or shape and turned back when the model loads. */
function weightDims(graph: OnnxGraph, producers: Producers, name: string): readonly number[] | null {
  if (!isWeights(graph, producers, name)) return null;
  const stored = graph.initializer.find((tensor) => tensor.name === name);
  if (stored !== undefined) return stored.dims;
  const node = producers.get(name);
  if (node === undefined) return null;
  const constant = node.attribute.find((attribute) => attribute.name === "value")?.t;
  if (node.opType === "Constant") return constant?.dims ?? null;
  if (node.opType === "Reshape") {
    const shape = graph.initializer.find((tensor) => tensor.name === node.input[1]);
    if (shape?.rawData === undefined) return null;
    return Array.from(new BigInt64Array(Uint8Array.from(shape.rawData).buffer), Number);
  }
  if (["Cast", "Identity", "DequantizeLinear"].includes(node.opType)) {
    return weightDims(graph, producers, node.input[0] as string);
  }
  if (node.opType !== "Transpose") return null;
  const dims = weightDims(graph, producers, node.input[0] as string);
  const order = node.attribute.find((attribute) => attribute.name === "perm")?.ints;
  return dims === null || order === undefined ? null : order.map((axis) => dims[Number(axis)] as number);
}
