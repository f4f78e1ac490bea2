import { strict as assert } from "node:assert";
import {
  decodeOnnx,
  encodeOnnx,
  floatsOf,
  nodeOf,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  onnxTypes,
  tensorOf,
} from "./onnx-model.ts";

/** Weights of one output channel that share a scale. One scale for the whole channel costs three times the error. */
const groupWeights = 64;
const int8Max = 127;
/** Smaller tensors (biases, norms, positions) stay float32: they are a few percent of the bytes. */
const weightsMinDefault = 100_000;
/** A table with fewer rows is no vocabulary. */
const tableRowsMin = 1_000;

const castToFloat = [{ name: "to", type: 2, i: BigInt(onnxTypes.float32) }];

export interface QuantisedWeights {
  readonly bytes: Uint8Array;
  /** What became int8. */
  readonly tensors: readonly QuantisedTensor[];
}

export interface QuantisedTensor {
  readonly name: string;
  readonly weights: number;
  /** Cosine of the stored weights to the original ones. */
  readonly cosine: number;
}

/**
 * Where the weights of one output channel lie: `columns` in a [K, N] matrix (MatMul, Gemm), `rows` where the channel comes
 * first (Conv [M, C, ...], Gemm with transB [N, K], LSTM [directions, 4H, I]), `table` where rows are gathered by id.
 */
type Layout = "columns" | "rows" | "table";

/**
 * Stores the large weights of a float32 ONNX model as int8, and computes as before. A matrix becomes int8 -> Cast ->
 * Mul by scales -> Reshape -> the float MatMul it was: all constant, so ONNX Runtime folds it to float32 once, when
 * it loads the file. The word table stays int8 in memory: its rows are gathered, cast and scaled per token.
 * Activations are never quantised, so an input's vector does not depend on its neighbours in a batch.
 * Takes initializers of MatMul, Gemm, Conv, LSTM, GRU, RNN and Gather; all of them inside `bytes` (see `inlineExternalData`).
 */
export function quantiseWeights(
  bytes: Uint8Array,
  { weightsMin = weightsMinDefault }: { weightsMin?: number } = {},
): QuantisedWeights {
  const model = decodeOnnx(bytes);
  const { graph } = model;
  const stored: OnnxTensor[] = [];
  const unfolding: OnnxNode[] = [];
  const tensors: QuantisedTensor[] = [];
  const uses = usesOf(graph.node);
  for (const tensor of graph.initializer) {
    const isLarge = tensor.dataType === onnxTypes.float32 && weightsOf(tensor) >= weightsMin;
    const layout = isLarge ? layoutOf(tensor, uses.get(tensor.name as string) ?? []) : null;
    if (layout === null) {
      stored.push(tensor);
      continue;
    }
    const parts =
      layout === "table"
        ? quantiseTable(model, tensor, uses.get(tensor.name as string)?.[0]?.node as OnnxNode)
        : quantiseMatrix(tensor, layout);
    stored.push(...parts.tensors);
    unfolding.push(...parts.nodes);
    tensors.push({ name: tensor.name as string, weights: weightsOf(tensor), cosine: parts.cosine });
  }
  // Before IR version 4 an initializer is an input as well; these are none any more.
  const gone = new Set(tensors.map(({ name }) => name));
  graph.input = graph.input.filter(({ name }) => !gone.has(name));
  graph.initializer = stored;
  graph.node.unshift(...unfolding); // ONNX wants producers before consumers.
  const docString = "weights stored as int8, computed in float32";
  return { bytes: encodeOnnx({ ...model, producerName: "medley", docString }), tensors };
}

interface Use {
  readonly node: OnnxNode;
  readonly input: number;
}

function usesOf(nodes: readonly OnnxNode[]): Map<string, Use[]> {
  const uses = new Map<string, Use[]>();
  for (const node of nodes) {
    node.input.forEach((name, input) => {
      const list = uses.get(name) ?? [];
      list.push({ node, input });
      uses.set(name, list);
    });
  }
  return uses;
}

function weightsOf({ dims }: OnnxTensor): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** `null`: the tensor stays as it is. One that several nodes use is taken where all want it alike. */
function layoutOf(tensor: OnnxTensor, uses: readonly Use[]): Layout | null {
  const layouts = new Set(uses.map((use) => layoutOfUse(tensor, use)));
  const [layout] = layouts;
  if (layout === undefined || layouts.size > 1) return null;
  return layout === "table" && uses.length > 1 ? null : layout;
}

function layoutOfUse({ dims }: OnnxTensor, { node, input }: Use): Layout | null {
  const attribute = (name: string) => node.attribute.find((one) => one.name === name)?.i ?? 0n;
  if (!["", "ai.onnx"].includes(node.domain ?? "")) return null;
  switch (node.opType) {
    case "MatMul":
      return input === 1 && dims.length === 2 ? "columns" : null;
    case "Gemm":
      if (input !== 1 || dims.length !== 2) return null;
      return attribute("transB") === 0n ? "columns" : "rows";
    case "Conv":
      return input === 1 ? "rows" : null;
    case "LSTM":
    case "GRU":
    case "RNN":
      return input === 1 || input === 2 ? "rows" : null;
    case "Gather": {
      const isTable = input === 0 && dims.length === 2 && (dims[0] as number) > tableRowsMin;
      return isTable && attribute("axis") === 0n ? "table" : null;
    }
    default:
      return null;
  }
}

interface Parts {
  readonly tensors: OnnxTensor[];
  readonly nodes: OnnxNode[];
  readonly cosine: number;
}

/** One scale per channel and group; where a channel can't be cut into groups, one per channel. */
function quantiseMatrix(tensor: OnnxTensor, layout: "columns" | "rows"): Parts {
  const name = tensor.name as string;
  const weights = floatsOf(tensor);
  const channels = layout === "columns" ? (tensor.dims[1] as number) : channelsOf(tensor);
  const perChannel = weights.length / channels;
  const length = perChannel % groupWeights === 0 ? groupWeights : perChannel;
  const groups = perChannel / length;
  const slots = groups * channels;
  const at =
    layout === "columns"
      ? (slot: number, k: number) => {
          const channel = slot % channels;
          return (((slot - channel) / channels) * length + k) * channels + channel;
        }
      : (slot: number, k: number) => slot * length + k;
  const { quantised, scales, cosine } = quantiseGroups(weights, slots, length, at);
  const shapes =
    layout === "columns"
      ? { int8: [groups, length, channels], scale: [groups, 1, channels] }
      : { int8: [channels, groups, length], scale: [channels, groups, 1] };
  return {
    tensors: [
      tensorOf(`${name}.int8`, shapes.int8, quantised),
      tensorOf(`${name}.scale`, shapes.scale, scales),
      tensorOf(`${name}.shape`, [tensor.dims.length], BigInt64Array.from(tensor.dims, BigInt)),
    ],
    nodes: [
      nodeOf("Cast", [`${name}.int8`], `${name}.cast`, castToFloat),
      nodeOf("Mul", [`${name}.cast`, `${name}.scale`], `${name}.scaled`),
      nodeOf("Reshape", [`${name}.scaled`, `${name}.shape`], name),
    ],
    cosine,
  };
}

/** Recurrent weights are [directions, gates x hidden, inputs]; all else has its channels first. */
function channelsOf({ dims }: OnnxTensor): number {
  const [first, second] = dims as [number, number];
  return dims.length === 3 && first <= 2 ? first * second : first;
}

/** [rows, dimensions], one scale per row; replaces the Gather in the graph by gathers of both. */
function quantiseTable(model: OnnxModel, tensor: OnnxTensor, gather: OnnxNode): Parts {
  const name = tensor.name as string;
  const [rows, dimensions] = tensor.dims as [number, number];
  const [, ids] = gather.input as [string, string];
  const [output] = gather.output as [string];
  const { quantised, scales, cosine } = quantiseGroups(
    floatsOf(tensor),
    rows,
    dimensions,
    (row, k) => row * dimensions + k,
  );
  model.graph.node.splice(
    model.graph.node.indexOf(gather),
    1,
    nodeOf("Gather", [`${name}.int8`, ids], `${output}.int8`),
    nodeOf("Cast", [`${output}.int8`], `${output}.cast`, castToFloat),
    nodeOf("Gather", [`${name}.scale`, ids], `${output}.scale`),
    nodeOf("Mul", [`${output}.cast`, `${output}.scale`], output),
  );
  return {
    tensors: [
      tensorOf(`${name}.int8`, [rows, dimensions], quantised),
      tensorOf(`${name}.scale`, [rows, 1], scales),
    ],
    nodes: [],
    cosine,
  };
}

/** Symmetric: a group's largest weight becomes ±127. `at(group, k)` is the place of its k-th weight. */
function quantiseGroups(
  weights: Float32Array,
  groups: number,
  groupLength: number,
  at: (group: number, k: number) => number,
): { quantised: Int8Array; scales: Float32Array; cosine: number } {
  assert.equal(groups * groupLength, weights.length);
  const quantised = new Int8Array(weights.length);
  const scales = new Float32Array(groups);
  let [dot, storedSquared, squared] = [0, 0, 0];
  for (let group = 0; group < groups; group++) {
    let largest = 0;
    for (let k = 0; k < groupLength; k++)
      largest = Math.max(largest, Math.abs(weights[at(group, k)] as number));
    const scale = Math.fround(largest / int8Max) || 1; // A group of zeros stays zero.
    scales[group] = scale;
    for (let k = 0; k < groupLength; k++) {
      const place = at(group, k);
      const weight = weights[place] as number;
      const integer = Math.round(weight / scale);
      quantised[place] = integer;
      dot += weight * integer * scale;
      storedSquared += (integer * scale) ** 2;
      squared += weight * weight;
    }
  }
  return { quantised, scales, cosine: squared === 0 ? 1 : dot / Math.sqrt(storedSquared * squared) };
}

/** Moves weights from files beside a model into it. `data` is by location; throws `RangeError` where bytes are missing. */
export function inlineExternalData(bytes: Uint8Array, data: ReadonlyMap<string, Uint8Array>): Uint8Array {
  if (data.size === 0) return bytes;
  const model = decodeOnnx(bytes);
  for (const tensor of model.graph.initializer) {
    if (tensor.dataLocation !== 1) continue;
    const entry = (key: string) => tensor.externalData?.find((one) => one.key === key)?.value;
    const file = data.get(entry("location") ?? "");
    const offset = Number(entry("offset") ?? 0);
    const end = offset + Number(entry("length") ?? (file?.length ?? 0) - offset);
    if (file === undefined || !(offset >= 0 && end >= offset && end <= file.length)) {
      throw new RangeError(`the weights ${tensor.name} are not where the model says they are`);
    }
    tensor.rawData = file.subarray(offset, end);
    tensor.externalData = [];
    delete tensor.dataLocation;
  }
  return encodeOnnx(model);
}
