export { cutGraph, hasTensor } from "./cut-graph.ts";
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
  subgraphsOf,
  tensorOf,
} from "./onnx-model.ts";
export { channelsOf, featureOutputs, type OutputCandidate, outputCandidates } from "./output-candidates.ts";
export { type GraphPooling, type PooledGraphOptions, pooledGraph } from "./pooled-graph.ts";
export {
  inlineExternalData,
  type QuantisedTensor,
  type QuantisedWeights,
  quantiseWeights,
} from "./quantise-weights.ts";
export { tensorsNeeded } from "./tensors-needed.ts";
export {
  declaredTypeOf,
  type OnnxDimension,
  type OnnxTensorType,
  tensorTypeOf,
  valueInfoOf,
} from "./value-info.ts";
