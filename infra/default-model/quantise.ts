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
} from "@medley/models/onnx";

/** Weights of one output channel that share a scale. One scale for the whole channel costs three times the error. */
const groupWeights = 64;
const int8Max = 127;
/** Smaller tensors (biases, norms, positions) stay float32: they are 4% of the default model's bytes. */
const weightsMinDefault = 100_000;

const castToFloat = [{ name: "to", type: 2, i: BigInt(onnxTypes.float32) }];

/**
 * Stores the large weights of a float32 ONNX model as int8, and computes as before. A matrix becomes int8 -> Cast ->
 * Mul by scales -> Reshape -> the float MatMul it was: all constant, so ONNX Runtime folds it to float32 once, when
 * it loads the file. The word table stays int8 in memory: its rows are gathered, cast and scaled per token.
 * Filters of convolutions are stored likewise. Activations are never quantised, so a text's vector does not depend on
 * its neighbours in a batch.
 */
export function quantise(
  bytes: Uint8Array,
  { weightsMin = weightsMinDefault }: { weightsMin?: number } = {},
): Uint8Array {
  const model = decodeOnnx(bytes);
  const { graph } = model;
  const stored: OnnxTensor[] = [];
  const unfolding: OnnxNode[] = [];
  for (const tensor of graph.initializer) {
    const weights = tensor.dims.reduce((product, dim) => product * dim, 1);
    const uses = graph.node.filter((node) => node.input.includes(tensor.name as string));
    const use = uses[0];
    const large = tensor.dataType === onnxTypes.float32 && weights >= weightsMin;
    if (!large || uses.length !== 1 || use === undefined) stored.push(tensor);
    else if (use.opType === "Conv" && use.input[1] === tensor.name) {
      const filterParts = quantiseFilters(tensor);
      stored.push(...filterParts.tensors);
      unfolding.push(...filterParts.nodes);
    } else if (tensor.dims.length !== 2) stored.push(tensor);
    else if (use.opType === "MatMul" && use.input[1] === tensor.name) {
      const matrixParts = quantiseMatrix(tensor);
      stored.push(...matrixParts.tensors);
      unfolding.push(...matrixParts.nodes);
    } else if (
      use.opType === "Gather" &&
      use.input[0] === tensor.name &&
      (tensor.dims[0] as number) > 1_000
    ) {
      stored.push(...quantiseTable(model, tensor, use));
    } else stored.push(tensor);
  }
  graph.initializer = stored;
  graph.node.unshift(...unfolding); // ONNX wants producers before consumers.
  return encodeOnnx({
    ...model,
    producerName: "medley",
    docString: "weights stored as int8, computed in float32",
  });
}

/** [K, N], one scale per column and group of `groupWeights` rows. */
function quantiseMatrix(tensor: OnnxTensor): { tensors: OnnxTensor[]; nodes: OnnxNode[] } {
  const name = tensor.name as string;
  const [rows, columns] = tensor.dims as [number, number];
  assert.equal(rows % groupWeights, 0, `${name}: ${rows} rows are no multiple of ${groupWeights}`);
  const groups = rows / groupWeights;
  const { quantised, scales } = quantiseGroups(
    floatsOf(tensor),
    groups * columns,
    groupWeights,
    (slot, k) => {
      const column = slot % columns;
      const group = (slot - column) / columns;
      return (group * groupWeights + k) * columns + column;
    },
  );
  return {
    tensors: [
      tensorOf(`${name}.int8`, [groups, groupWeights, columns], quantised),
      tensorOf(`${name}.scale`, [groups, 1, columns], scales),
      tensorOf(`${name}.shape`, [2], BigInt64Array.of(BigInt(rows), BigInt(columns))),
    ],
    nodes: unfoldingNodes(name),
  };
}

/** [filters, channels, height, width], one scale per filter and up to `groupWeights` of its weights. */
function quantiseFilters(tensor: OnnxTensor): { tensors: OnnxTensor[]; nodes: OnnxNode[] } {
  const name = tensor.name as string;
  const [filters] = tensor.dims as [number];
  const weights = floatsOf(tensor);
  const each = weights.length / filters;
  let length = Math.min(groupWeights, each);
  while (each % length !== 0) length--;
  const groups = weights.length / length;
  const { quantised, scales } = quantiseGroups(weights, groups, length, (group, k) => group * length + k);
  return {
    tensors: [
      tensorOf(`${name}.int8`, [groups, length], quantised),
      tensorOf(`${name}.scale`, [groups, 1], scales),
      tensorOf(`${name}.shape`, [tensor.dims.length], BigInt64Array.from(tensor.dims, BigInt)),
    ],
    nodes: unfoldingNodes(name),
  };
}

/** int8 -> float32 -> times scales -> the shape that it was, all constant. */
function unfoldingNodes(name: string): OnnxNode[] {
  return [
    nodeOf("Cast", [`${name}.int8`], `${name}.cast`, castToFloat),
    nodeOf("Mul", [`${name}.cast`, `${name}.scale`], `${name}.scaled`),
    nodeOf("Reshape", [`${name}.scaled`, `${name}.shape`], name),
  ];
}

/** [rows, dimensions], one scale per row; replaces the Gather in the graph by gathers of both. */
function quantiseTable(model: OnnxModel, tensor: OnnxTensor, gather: OnnxNode): OnnxTensor[] {
  const name = tensor.name as string;
  const [rows, dimensions] = tensor.dims as [number, number];
  const [, ids] = gather.input as [string, string];
  const [output] = gather.output as [string];
  const { quantised, scales } = quantiseGroups(
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
  return [
    tensorOf(`${name}.int8`, [rows, dimensions], quantised),
    tensorOf(`${name}.scale`, [rows, 1], scales),
  ];
}

/** Symmetric: a group's largest weight becomes ±127. `at(group, k)` is the place of its k-th weight. */
function quantiseGroups(
  weights: Float32Array,
  groups: number,
  groupLength: number,
  at: (group: number, k: number) => number,
): { quantised: Int8Array; scales: Float32Array } {
  const quantised = new Int8Array(weights.length);
  const scales = new Float32Array(groups);
  for (let group = 0; group < groups; group++) {
    let largest = 0;
    for (let k = 0; k < groupLength; k++)
      largest = Math.max(largest, Math.abs(weights[at(group, k)] as number));
    const scale = Math.fround(largest / int8Max) || 1; // A group of zeros stays zero.
    scales[group] = scale;
    for (let k = 0; k < groupLength; k++) {
      const place = at(group, k);
      quantised[place] = Math.round((weights[place] as number) / scale);
    }
  }
  return { quantised, scales };
}
