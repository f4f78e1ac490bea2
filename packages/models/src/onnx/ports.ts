import { decodeOnnx, type OnnxValueInfo } from "./onnx-model.ts";
import { type OnnxDimension, tensorTypeOf } from "./value-info.ts";

/** What a graph takes or gives under a name. */
export interface GraphPort {
  readonly name: string;
  /** Null: the file does not say. */
  readonly dims: readonly OnnxDimension[] | null;
}

/** The inputs and outputs that an ONNX file declares. Throws `RangeError` for bytes that are no ONNX model. */
export function graphPorts(bytes: Uint8Array): { inputs: GraphPort[]; outputs: GraphPort[] } {
  const { graph } = decodeOnnx(bytes);
  const portOf = (info: OnnxValueInfo) => ({ name: info.name, dims: tensorTypeOf(info)?.dims ?? null });
  const weights = new Set(graph.initializer.map(({ name }) => name)); // Old exporters list them as inputs too.
  return {
    inputs: graph.input.filter(({ name }) => !weights.has(name)).map(portOf),
    outputs: graph.output.map(portOf),
  };
}
