import type { Graph, GraphNode } from "./graph.ts";
import { sizeOf } from "./shape.ts";
import type { Value } from "./value.ts";
import { isAbout, type Wiring, wiringOf } from "./wiring.ts";

/**
 * Moves the numbers that a batch is multiplied by into the matrices before or after it, which are smaller: c (x W + b) = x (c W) + c b, and
 * (c x) W = x (c W). Each costs a pass over the batch's memory, and one more backwards. A gelu is written so that both of its numbers can
 * go: with u = x / √2 it is u (erf(u) + 1) / √2. `wanted`: the values that are asked for.
 */
export function foldFactors(graph: Graph, wanted: readonly Value[]): void {
  rewrite(graph, wanted, geluOfScaled);
  rewrite(graph, wanted, (node, place) => factorAfter(node, place) ?? factorBefore(node, place));
}

interface Place {
  readonly graph: Graph;
  readonly wiring: Wiring;
}

/** What gives a node's output in its stead: adds all nodes but the last, whose operator and inputs it answers. Null: nothing does. */
type Rule = (node: GraphNode, place: Place) => Replacement | null;

interface Replacement {
  readonly opType: string;
  readonly inputs: readonly Value[];
  /** Nodes that nothing needs any more. */
  readonly replaced: readonly GraphNode[];
}

function rewrite(graph: Graph, wanted: readonly Value[], rule: Rule): void {
  const nodes = graph.nodes.splice(0);
  const place = { graph, wiring: wiringOf(graph, nodes, wanted) };
  const gone = new Set<GraphNode>();
  for (const node of nodes) {
    const found = rule(node, place);
    if (found === null) graph.nodes.push(node);
    else {
      const { domain, name, outputs } = node;
      graph.addNode({ opType: found.opType, domain, name, inputs: found.inputs, outputs, attributes: [] });
      for (const one of found.replaced) gone.add(one);
    }
  }
  graph.nodes.splice(0, graph.nodes.length, ...graph.nodes.filter((node) => !gone.has(node)));
}

/** x (erf(x / √2) + 1) / 2 (Hendrycks & Gimpel 2016), as exporters write it, by x / √2 alone. */
function geluOfScaled(node: GraphNode, { wiring }: Place): Replacement | null {
  const { maker, within, uses, numberBeside } = wiring;
  const halved = node.opType === "Mul" ? numberBeside(node) : null;
  const product = halved !== null && isAbout(halved.number, 0.5) ? within(halved.value, "Mul") : null;
  for (const [x, shifted] of eitherWay(product)) {
    const sum = within(shifted, "Add");
    const shift = numberBeside(sum);
    const erf = shift !== null && isAbout(shift.number, 1) ? within(shift.value, "Erf") : null;
    const [scaled] = erf?.inputs ?? [];
    const asProduct = numberBeside(within(scaled, "Mul"));
    const asQuotient = numberBeside(within(scaled, "Div"));
    const isScaled =
      (asProduct?.value === x && isAbout(asProduct.number, Math.SQRT1_2)) ||
      (asQuotient?.value === x && isAbout(asQuotient.number, Math.SQRT2));
    // By something else, too, x would have to be made as it is, and its product with a number could not go.
    const isAlone = uses(x) === 2 && (maker(x, "Add") ?? maker(x, "MatMul")) !== null;
    if (!isScaled || !isAlone || !product || !sum || !erf || !scaled) continue;
    const scaling = maker(scaled, asProduct === null ? "Div" : "Mul") as GraphNode;
    const u = x.mul(Math.SQRT1_2);
    return {
      opType: "Mul",
      inputs: [u.mul(u.erf().add(1)), x.graph.scalar(Math.SQRT1_2)],
      replaced: [product, sum, erf, scaling],
    };
  }
  return null;
}

function eitherWay(node: GraphNode | null): readonly (readonly [Value, Value])[] {
  const [left, right] = node?.inputs ?? [];
  if (!left || !right) return [];
  return [
    [left, right],
    [right, left],
  ];
}

/** c (x W + b), or without the b. */
function factorAfter(node: GraphNode, { wiring }: Place): Replacement | null {
  const { within, numberBeside } = wiring;
  const factor = node.opType === "Mul" ? numberBeside(node) : null;
  if (factor === null) return null;
  const alone = within(factor.value, "MatMul");
  const whole = scaledProduct(alone, factor.number);
  if (alone !== null && whole !== null) return { ...whole, replaced: [alone] };
  const sum = within(factor.value, "Add");
  for (const [product, bias] of eitherWay(sum)) {
    const linear = within(product, "MatMul");
    const scaled = bias.rank === 1 ? scaledProduct(linear, factor.number) : null;
    if (linear === null || scaled === null || sum === null) continue;
    const [x, weight] = scaled.inputs as [Value, Value];
    return {
      opType: "Add",
      inputs: [x.matmul(weight), bias.mul(factor.number)],
      replaced: [sum, linear],
    };
  }
  return null;
}

/** (c x) W. */
function factorBefore(node: GraphNode, { wiring }: Place): Replacement | null {
  const { within, numberBeside } = wiring;
  const product = node.opType === "MatMul" ? within(node.inputs[0], "Mul") : null;
  const factor = numberBeside(product);
  const [, weight] = node.inputs;
  if (product === null || factor === null || !weight || !isSmaller(weight, factor.value)) return null;
  return { opType: "MatMul", inputs: [factor.value, weight.mul(factor.number)], replaced: [product] };
}

function scaledProduct(node: GraphNode | null, number: number): Omit<Replacement, "replaced"> | null {
  const [x, weight] = node?.inputs ?? [];
  if (!x || !weight || !isSmaller(weight, x)) return null;
  return { opType: "MatMul", inputs: [x, weight.mul(number)] };
}

/** A matrix that counts once for all rows of the batch. */
function isSmaller(weight: Value, batch: Value): boolean {
  return weight.rank === 2 && sizeOf(weight.shape) < sizeOf(batch.shape);
}
