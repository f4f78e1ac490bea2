import { decodeOnnx, type OnnxValueInfo } from "./onnx-model.ts";
import { decodeMessage, type Message, type MessageSchema } from "./wire.ts";

/** What a graph takes or gives under a name; a dimension is a number, or a name where it varies ("" for neither). */
export interface GraphPort {
  readonly name: string;
  /** `undefined`: the file does not say. */
  readonly dims: readonly (number | string)[] | undefined;
}

const dimSchema: MessageSchema = {
  1: { name: "value", kind: "int" },
  2: { name: "label", kind: "string" },
};
const shapeSchema: MessageSchema = { 1: { name: "dims", kind: dimSchema, many: true } };
const typeSchema: MessageSchema = {
  1: { name: "tensor", kind: { 2: { name: "shape", kind: shapeSchema } } },
};

interface TypeMessage extends Message {
  tensor?: { shape?: { dims: { value?: number; label?: string }[] } };
}

/** The inputs and outputs that an ONNX file declares. Throws `RangeError` for bytes that are no ONNX model. */
export function graphPorts(bytes: Uint8Array): { inputs: GraphPort[]; outputs: GraphPort[] } {
  const { graph } = decodeOnnx(bytes);
  const weights = new Set(graph.initializer.map(({ name }) => name)); // Old exporters list them as inputs too.
  return {
    inputs: graph.input.filter(({ name }) => !weights.has(name)).map(portOf),
    outputs: graph.output.map(portOf),
  };
}

function portOf({ name, type }: OnnxValueInfo): GraphPort {
  const decoded = type === undefined ? {} : (decodeMessage(type, typeSchema) as TypeMessage);
  return { name, dims: decoded.tensor?.shape?.dims.map(({ value, label }) => value ?? label ?? "") };
}
