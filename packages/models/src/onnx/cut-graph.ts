import {
  decodeOnnx,
  encodeOnnx,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  subgraphsOf,
} from "./onnx-model.ts";
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
  const needed = tensorsNeeded(graph, output);
  graph.node = graph.node.filter((node) => node.output.some((name) => needed.has(name)));
  graph.initializer = graph.initializer.filter(({ name }) => needed.has(name as string));
  graph.input = graph.input.filter(({ name }) => needed.has(name));
  graph.valueInfo = graph.valueInfo?.filter(({ name }) => needed.has(name) && name !== output) ?? [];
  graph.output = [declared === undefined ? { name: output } : valueInfoOf(output, declared)];
  return encodeOnnx(model);
}

function tensorsNeeded(graph: OnnxGraph, output: string): Set<string> {
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const needed = new Set<string>();
  const waiting = [output];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === "" || needed.has(name)) continue;
    needed.add(name);
    const node = producers.get(name);
    if (node !== undefined) waiting.push(...tensorsRead(node));
  }
  return needed;
}

/** A branch or loop reads tensors of the graph around it without naming them as its node's inputs. */
function tensorsRead(node: OnnxNode): string[] {
  const within = subgraphsOf(node).flatMap((graph) => [
    ...graph.node.flatMap(tensorsRead),
    ...graph.output.map(({ name }) => name),
  ]);
  return [...node.input, ...within];
}
