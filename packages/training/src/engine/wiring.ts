import type { Graph, GraphNode } from "./graph.ts";
import type { Value } from "./value.ts";

/** Who gives and who takes the values of a graph. */
export interface Wiring {
  /** The node that gives the value, where its operator is `opType` and it gives nothing else. */
  maker(value: Value | null | undefined, opType: string): GraphNode | null;
  /** The same, where nothing but one node takes the value. */
  within(value: Value | null | undefined, opType: string): GraphNode | null;
  /** How many nodes take the value, and once more where it is wanted itself. */
  uses(value: Value): number;
  /** The number of a product, sum or quotient by it, and what it is beside. */
  numberBeside(node: GraphNode | null): { readonly value: Value; readonly number: number } | null;
}

/** `wanted`: values that are asked for beside what nodes take of them. */
export function wiringOf(graph: Graph, nodes: readonly GraphNode[], wanted: readonly Value[]): Wiring {
  const makers = new Map<Value, GraphNode>();
  const taken = new Map<Value, number>(wanted.map((value) => [value, 1]));
  for (const node of nodes) {
    for (const value of node.inputs) if (value) taken.set(value, (taken.get(value) ?? 0) + 1);
    for (const value of node.outputs) if (value) makers.set(value, node);
  }
  const uses = (value: Value) => taken.get(value) ?? 0;
  const maker: Wiring["maker"] = (value, opType) => {
    const node = value ? makers.get(value) : undefined;
    return node?.opType === opType && node.domain === "" && node.outputs.length === 1 ? node : null;
  };
  return {
    uses,
    maker,
    within: (value, opType) => (value && uses(value) === 1 ? maker(value, opType) : null),
    numberBeside(node) {
      const [a, b] = node?.inputs ?? [];
      if (!a || !b) return null;
      const [ofA, ofB] = [graph.numberOf(a), graph.numberOf(b)];
      if (ofB !== null) return { value: a, number: ofB };
      return ofA === null || node?.opType === "Div" ? null : { value: b, number: ofA };
    },
  };
}

/** Whether a number of a file is meant to be this one. */
export function isAbout(number: number, meant: number): boolean {
  return Math.abs(number / meant - 1) < 1e-6;
}
