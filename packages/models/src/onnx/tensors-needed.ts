import { type OnnxGraph, type OnnxNode, subgraphsOf } from "./onnx-model.ts";

/** Names of the tensors that `outputs` are made from, themselves included; how those in `given` are made does not count. */
export function tensorsNeeded(
  graph: OnnxGraph,
  outputs: readonly string[],
  given: ReadonlySet<string> = new Set(),
): Set<string> {
  const makers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const needed = new Set<string>();
  const waiting = [...outputs];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === "" || needed.has(name)) continue;
    needed.add(name);
    const node = given.has(name) ? undefined : makers.get(name);
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
