import type { Graph, GraphNode } from "../graph.ts";
import { sameShape } from "../shape.ts";
import type { Value } from "../value.ts";
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
    const composite = softmaxProduct(node, wiring) ?? gelu(node, wiring);
    if (composite !== null) found.set(node, composite);
  }
  return found;
}

interface Wiring {
  /** The node that gives the value, where it gives nothing else and nothing but one node takes it; its operator is `opType`. */
  within(value: Value | null | undefined, opType: string): GraphNode | null;
  /** The other input of a node of two, one of which is this number. */
  beside(node: GraphNode | null, number: number): Value | null;
}

function wiringOf(graph: Graph, nodes: readonly GraphNode[], asked: readonly Value[]): Wiring {
  const makers = new Map<Value, GraphNode>();
  const uses = new Map<Value, number>(asked.map((value) => [value, 1]));
  for (const node of nodes) {
    for (const value of node.inputs) if (value) uses.set(value, (uses.get(value) ?? 0) + 1);
    for (const value of node.outputs) if (value) makers.set(value, node);
  }
  return {
    within(value, opType) {
      const maker = value ? makers.get(value) : undefined;
      if (!value || uses.get(value) !== 1 || maker?.opType !== opType || maker.domain !== "") return null;
      return maker.outputs.length === 1 ? maker : null;
    },
    beside(node, number) {
      const [a, b] = node?.inputs ?? [];
      if (!a || !b) return null;
      const isNumber = (value: Value) => Math.abs((graph.numberOf(value) ?? Number.NaN) / number - 1) < 1e-6;
      if (isNumber(b)) return a;
      return isNumber(a) ? b : null;
    },
  };
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
      const sums = dy.mul(result).sum([-1], { keepsAxes: true });
      return [weights.mul(dy.matmul(values.transposed()).sub(sums)), transposedProduct(weights, dy)];
    },
  };
}

/** x (erf(x / √2) + 1) / 2 (Hendrycks & Gimpel 2016), as exporters write it. */
function gelu(node: GraphNode, { within, beside }: Wiring): Composite | null {
  const product = node.opType === "Mul" ? within(beside(node, 0.5), "Mul") : null;
  const [left, right] = product?.inputs ?? [];
  for (const [x, shifted] of [
    [left, right],
    [right, left],
  ]) {
    const erf = within(beside(within(shifted, "Add"), 1), "Erf");
    const scaled = erf?.inputs[0];
    const [asProduct, asQuotient] = [within(scaled, "Mul"), within(scaled, "Div")];
    const scaledOf = asProduct ? beside(asProduct, Math.SQRT1_2) : beside(asQuotient, Math.SQRT2);
    if (!x || !shifted || !scaled || scaledOf !== x) continue;
    return {
      inputs: [x],
      gradient(dy) {
        // Φ(x) + x φ(x), of u = x / √2: (erf(u) + 1) / 2 + u e^(-u²) / √π, the last factor within the exponent.
        const density = x.graph
          .scalar(-Math.log(Math.PI) / 2)
          .sub(scaled.square())
          .exp();
        return [shifted.mul(0.5).add(scaled.mul(density)).mul(dy)];
      },
    };
  }
  return null;
}
