import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import type { Graph, GraphNode } from "../graph.ts";
import { openDimension, sameShape } from "../shape.ts";
import type { Value } from "../value.ts";
import { type Composite, compositesOf } from "./composites.ts";
import { convolutionRules } from "./convolution.ts";
import { elementwiseRules } from "./elementwise.ts";
import { indexingRules } from "./indexing.ts";
import { matrixRules } from "./matrix.ts";
import { normalisationRules } from "./normalisation.ts";
import { reductionRules } from "./reduction.ts";
import type { GradientRule } from "./rule.ts";
import { shapeRules } from "./shaping.ts";

const rules: ReadonlyMap<string, GradientRule> = new Map(
  [
    convolutionRules,
    elementwiseRules,
    indexingRules,
    matrixRules,
    normalisationRules,
    reductionRules,
    shapeRules,
  ].flatMap((family) => Object.entries(family)),
);

/** The operators that can be differentiated. */
export const differentiableOperators: readonly string[] = [...rules.keys()].sort();

/** Operators whose outputs don't change with their inputs, or only in jumps: no gradient passes. */
const withoutGradient = new Set([
  "ArgMax",
  "Equal",
  "Greater",
  "GreaterOrEqual",
  "IsNaN",
  "Less",
  "LessOrEqual",
  "Not",
  "And",
  "Or",
  "Range",
  "Shape",
  "Sign",
  "Ceil",
  "Floor",
  "Round",
  "Size",
  "ConstantOfShape",
]);

/**
 * Reverse-mode differentiation: adds the nodes that compute d loss / d value for each of `values`, in their order. `loss` is a
 * scalar. Only what leads from `values` to the loss is differentiated. Throws `MedleyError` `training_unsupported` naming the
 * operator and node that has no rule. A value the loss does not depend on is an assertion.
 *
 * Baydin, Pearlmutter, Radul & Siskind, Automatic differentiation in machine learning: a survey (JMLR 2018), section 3.2.
 */
export function gradients(graph: Graph, loss: Value, values: readonly Value[]): Value[] {
  assert.equal(loss.rank, 0, "a loss is one number");
  const forward = [...graph.nodes];
  const depends = dependents(forward, values);
  const composites = compositesOf(graph, forward, values);
  const sums = new Map<Value, Value>([[loss, graph.scalar(1)]]);
  for (const node of forward.toReversed()) {
    const incoming = node.outputs.map((value) => (value === null ? null : (sums.get(value) ?? null)));
    if (incoming.every((gradient) => gradient === null)) continue;
    if (!node.inputs.some((value) => value !== null && depends.has(value))) continue;
    for (const [value, gradient] of gradientsOf({ graph, node, incoming, depends, composites })) {
      assert(
        sameShape(value.shape, gradient.shape),
        `${node.name}: [${gradient.shape}] for [${value.shape}]`,
      );
      const before = sums.get(value);
      sums.set(value, before === undefined ? gradient : before.add(gradient));
    }
  }
  return values.map((value) => {
    const gradient = sums.get(value);
    assert(gradient, `the loss does not depend on ${value.name}`);
    return gradient;
  });
}

/** The values, and whatever a gradient may pass on its way to them. */
function dependents(nodes: readonly GraphNode[], values: readonly Value[]): Set<Value> {
  const depends = new Set(values);
  for (const node of nodes) {
    if (withoutGradient.has(node.opType)) continue;
    if (!node.inputs.some((value) => value !== null && depends.has(value))) continue;
    for (const output of node.outputs) if (output?.type === "float32") depends.add(output);
  }
  return depends;
}

interface Asked {
  readonly graph: Graph;
  readonly node: GraphNode;
  readonly incoming: readonly (Value | null)[];
  readonly depends: ReadonlySet<Value>;
  readonly composites: ReadonlyMap<GraphNode, Composite>;
}

function gradientsOf({ graph, node, incoming, depends, composites }: Asked): (readonly [Value, Value])[] {
  const composite = composites.get(node);
  if (composite !== undefined) {
    const found = composite.gradient(incoming[0] as Value);
    const all = composite.inputs.map((value, at) => [value, found[at] as Value] as const);
    return all.filter(([value]) => depends.has(value));
  }
  const rule = node.domain === "" ? rules.get(node.opType) : undefined;
  if (rule === undefined) {
    const operator = node.domain === "" ? node.opType : `${node.domain}.${node.opType}`;
    throw new MedleyError(
      "training_unsupported",
      `the operator ${operator} of node "${node.name}" can't be differentiated`,
      { mend: "freeze what comes before it, or train another model" },
    );
  }
  for (const value of [...node.inputs, ...node.outputs]) {
    assert(!value?.shape.includes(openDimension), `${node.name}: an open dimension can't be differentiated`);
  }
  const needs = node.inputs.map((value) => value !== null && depends.has(value));
  const found = rule({ graph, node, incoming, needs });
  return node.inputs.flatMap((value, at) => {
    const gradient = found[at] ?? null;
    return value !== null && needs[at] === true && gradient !== null ? [[value, gradient] as const] : [];
  });
}
