import { decodeOnnx, type OnnxValueInfo } from "./onnx-model.ts";
import { dimsOf } from "./tensor-info.ts";

/** What a graph takes or gives under a name. */
export interface GraphPort {
  readonly name: string;
  /** Sizes, or names of sizes that vary; `undefined`: the file does not say. */
  readonly dims: readonly (number | string)[] | undefined;
}

/** The inputs and outputs that an ONNX file declares. Throws `RangeError` for bytes that are no ONNX model. */
export function graphPorts(bytes: Uint8Array): { inputs: GraphPort[]; outputs: GraphPort[] } {
  const { graph } = decodeOnnx(bytes);
  const portOf = (info: OnnxValueInfo) => ({ name: info.name, dims: dimsOf(info) });
  const weights = new Set(graph.initializer.map(({ name }) => name)); // Old exporters list them as inputs too.
  return {
    inputs: graph.input.filter(({ name }) => !weights.has(name)).map(portOf),
    outputs: graph.output.map(portOf),
  };
}
