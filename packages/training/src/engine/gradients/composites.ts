import type { Graph, GraphNode } from "../graph.ts";
import { sameShape } from "../shape.ts";
import { concat, type Value } from "../value.ts";
import { isAbout, type Wiring, wiringOf } from "../wiring.ts";
import { transposedProduct } from "./matrix.ts";

/**
 * Nodes one after the other whose joint gradient takes fewer passes over memory than that of each. What lies between is used by
 * them alone.
 */
export interface Composite {
  readonly inputs: readonly Value[];
  /** d loss / d input for each of `inputs`, from that of the last node's output. */
  gradient(dy: Value): readonly Value[];
}

/** By the last node of each. `asked`: values whose own gradient is wanted, which lie within none. */
export function compositesOf(
  graph: Graph,
  nodes: readonly GraphNode[],
  asked: readonly Value[],
): ReadonlyMap<GraphNode, Composite> {
  const wiring = wiringOf(graph, nodes, asked);
  const found = new Map<GraphNode, Composite>();
  for (const node of nodes) {
    const composite = softmaxProduct(node, wiring) ?? scaledNormal(node, wiring);
    if (composite !== null) found.set(node, composite);
  }
  return found;
}

/**
 * softmax(scores) v: the sum that a softmax's gradient subtracts, Σ dP P over the keys, is Σ dO O over the fewer dimensions of the
 * result (Dao, Fu, Ermon, Rudra & Ré, FlashAttention, NeurIPS 2022, appendix B.2).
 */
function softmaxProduct(node: GraphNode, { within }: Wiring): Composite | null {
  const [weights, values] = node.inputs;
  const [result] = node.outputs;
  const softmax = node.opType === "MatMul" ? within(weights, "Softmax") : null;
  const [scores] = softmax?.inputs ?? [];
  if (!softmax || !scores || !weights || !values || !result) return null;
  const axis = softmax.attributes.int("axis", -1);
  if ((axis !== -1 && axis !== weights.rank - 1) || result.size(-1) >= weights.size(-1)) return null;
  if (!sameShape(values.shape.slice(0, -2), weights.shape.slice(0, -2))) return null;
  return {
    inputs: [scores, values],
    gradient(dy) {
      // dP - Σ is one product: its sums are a dimension more, which all values have as 1.
      const sums = dy.mul(result).sum([-1], { keepsAxes: true }).neg();
      const ones = values.graph.scalar(1).expand([...values.shape.slice(0, -1), 1]);
      return [
        weights.mul(concat([dy, sums], -1).matmul(concat([values, ones], -1).transposed())),
        transposedProduct(weights, dy),
      ];
    },
  };
}

/** x (erf(c x) + 1): of a gelu all but its half (Hendrycks & Gimpel 2016). */
function scaledNormal(node: GraphNode, { within, numberBeside }: Wiring): Composite | null {
  if (node.opType !== "Mul") return null;
  const [left, right] = node.inputs;
  for (const [x, shifted] of [
    [left, right],
    [right, left],
  ]) {
    const shift = numberBeside(within(shifted, "Add"));
    const erf = shift !== null && isAbout(shift.number, 1) ? within(shift.value, "Erf") : null;
    const [scaled] = erf?.inputs ?? [];
    if (!x || !shifted || !scaled) continue;
    const factor = scaled === x ? null : numberBeside(within(scaled, "Mul") ?? within(scaled, "Div"));
    if (scaled !== x && factor?.value !== x) continue;
    return {
      inputs: [x],
      gradient(dy) {
        // erf(u) + 1 + 2/√π u e^(-u²), of u = c x, a factor within the exponent: one pass over memory less.
        const density = x.graph
          .scalar(Math.log(2 / Math.sqrt(Math.PI)))
          .sub(scaled.square())
          .exp();
        return [shifted.add(scaled.mul(density)).mul(dy)];
      },
    };
  }
  return null;
}
