import { decodeOnnx, encodeOnnx, type OnnxModel } from "./onnx-model.ts";
import { tensorsNeeded } from "./tensors-needed.ts";
import { declaredTypeOf, type OnnxTensorType, valueInfoOf } from "./value-info.ts";

/** Whether some node makes it. Inputs and weights are not tensors that a model computes. */
export function hasTensor({ graph }: OnnxModel, name: string): boolean {
  return graph.node.some(({ output }) => output.includes(name));
}

/**
 * The model with `output` as its only output, be it one already or a tensor within, and without what that does not
 * need: later nodes (a classifier), their weights, inputs of other branches. `type` is written down where the model
 * does not say it. Throws `RangeError` where no node makes `output`.
 */
export function cutGraph(bytes: Uint8Array, output: string, type?: OnnxTensorType): Uint8Array {
  const model = decodeOnnx(bytes);
  if (!hasTensor(model, output)) throw new RangeError(`no node of the model makes "${output}"`);
  const { graph } = model;
  const declared = declaredTypeOf(graph, output) ?? type;
  const needed = tensorsNeeded(graph, [output]);
  graph.node = graph.node.filter((node) => node.output.some((name) => needed.has(name)));
  graph.initializer = graph.initializer.filter(({ name }) => needed.has(name as string));
  graph.input = graph.input.filter(({ name }) => needed.has(name));
  graph.valueInfo = graph.valueInfo?.filter(({ name }) => needed.has(name) && name !== output) ?? [];
  graph.output = [declared === undefined ? { name: output } : valueInfoOf(output, declared)];
  return encodeOnnx(model);
}
