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
} from "./onnx-model.ts";
export { tensorInfo } from "./tensor-info.ts";
