export { describeGraph, type GraphDescription } from "./describe-graph.ts";
export {
  decodeOnnx,
  encodeOnnx,
  floatsOf,
  nodeOf,
  type OnnxAttribute,
  type OnnxEntry,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  onnxTypes,
  tensorOf,
} from "./onnx-model.ts";
export {
  inlineExternalData,
  type QuantisedTensor,
  type QuantisedWeights,
  quantiseWeights,
} from "./quantise-weights.ts";
export { tensorInfo } from "./tensor-info.ts";
