export {
  decodeOnnx,
  encodeOnnx,
  floatsOf,
  nodeOf,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  onnxTypes,
  tensorOf,
  valueInfoOf,
} from "./onnx-model.ts";
export { type GraphPooling, type PooledGraphOptions, pooledGraph } from "./pooled-graph.ts";
export { quantisesActivations } from "./quantised-activations.ts";
