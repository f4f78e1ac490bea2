import type { OnnxModel, OnnxNode } from "./onnx-model.ts";

/** Operators that take the range of a whole batch to turn what is computed into integers, or multiply the result. */
const integerOps = new Set([
  "DynamicQuantizeLinear",
  "DynamicQuantizeMatMul",
  "DynamicQuantizeLSTM",
  "MatMulInteger",
  "MatMulIntegerToFloat",
  "ConvInteger",
]);

/**
 * Whether a model turns activations, not only weights, into integers while it runs. The scale is that of the largest
 * value in the batch: a row's result then depends on its neighbours and on the padding.
 */
export function quantisesActivations(model: OnnxModel): boolean {
  return model.graph.node.some((node) => integerOps.has(node.opType) || bodyNames(node, [...integerOps]));
}

/** Bodies of If and Loop are kept as bytes; an operator's name stands in them as text. */
function bodyNames(node: OnnxNode, names: readonly string[]): boolean {
  return node.attribute.some(
    ({ g }) =>
      g !== undefined && names.some((name) => Buffer.from(g.buffer, g.byteOffset, g.length).includes(name)),
  );
}
