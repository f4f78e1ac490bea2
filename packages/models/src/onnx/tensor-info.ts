import type { OnnxValueInfo } from "./onnx-model.ts";
import { encodeMessage, type MessageSchema } from "./wire.ts";

const dimensionSchema: MessageSchema = {
  1: { name: "value", kind: "int" },
  2: { name: "symbol", kind: "string" },
};
const shapeSchema: MessageSchema = { 1: { name: "dimensions", kind: dimensionSchema, many: true } };
const tensorTypeSchema: MessageSchema = {
  1: { name: "elementType", kind: "int" },
  2: { name: "shape", kind: shapeSchema },
};
/** onnx.proto's `TypeProto` where it is a tensor. */
const typeSchema: MessageSchema = { 1: { name: "tensor", kind: tensorTypeSchema } };

/** An input or output of a graph: `dims` are sizes, or names of sizes that are known when it runs. */
export function tensorInfo(
  name: string,
  elementType: number,
  dims: readonly (number | string)[],
): OnnxValueInfo {
  const dimensions = dims.map((dim) => (typeof dim === "number" ? { value: dim } : { symbol: dim }));
  return { name, type: encodeMessage({ tensor: { elementType, shape: { dimensions } } }, typeSchema) };
}
