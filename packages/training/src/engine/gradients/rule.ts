import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import type { Graph, GraphNode } from "../graph.ts";
import type { Value } from "../value.ts";

/** What a rule is asked. */
export interface Differentiated {
  readonly graph: Graph;
  readonly node: GraphNode;
  /** d loss / d output, by output; null where the loss does not depend on it. At least one is there. */
  readonly incoming: readonly (Value | null)[];
  /** Which inputs a gradient is asked for. */
  readonly needs: readonly boolean[];
}

/**
 * Adds what computes d loss / d input for the inputs that need it, of the input's shape, in their order. Null: no gradient
 * passes. What is given for other inputs does not count and is pruned.
 */
export type GradientRule = (asked: Differentiated) => readonly (Value | null)[];

/** A rule of a family by operator. */
export type GradientRules = Readonly<Record<string, GradientRule>>;

/** The node's input `index`, which must be there. */
export function inputOf({ node }: Differentiated, index: number): Value {
  const value = node.inputs[index];
  assert(value, `${node.name} has an input ${index}`);
  return value;
}

export function outputOf({ node }: Differentiated, index: number): Value {
  const value = node.outputs[index];
  assert(value, `${node.name} has an output ${index}`);
  return value;
}

/** Of an operator whose first output alone has a gradient. */
export function firstIncoming({ node, incoming }: Differentiated): Value {
  const [gradient] = incoming;
  assert(gradient, `${node.name}: the first output has a gradient`);
  return gradient;
}

/** A node of a file may use an operator in a way that has no rule: `training_unsupported` says which. */
export function demand({ node }: Differentiated, isMet: boolean, reason: string): void {
  if (isMet) return;
  throw new MedleyError(
    "training_unsupported",
    `the operator ${node.opType} of node "${node.name}" can't be differentiated: ${reason}`,
    { mend: "freeze what comes before it, or train another model" },
  );
}
