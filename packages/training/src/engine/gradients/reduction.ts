import { axesOf, reducedShape, type Shape, sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { type Differentiated, firstIncoming, type GradientRules, inputOf, outputOf } from "./rule.ts";

/** The incoming gradient with the reduced axes as ones, so that it broadcasts; what was reduced over; how many values. */
function spread(asked: Differentiated): { dy: Value; y: Value; shape: Shape; count: number } {
  const x = inputOf(asked, 0);
  const y = outputOf(asked, 0);
  const kept = keptShape(x.shape, y.shape, asked);
  return {
    dy: firstIncoming(asked).reshape(kept),
    y: y.reshape(kept),
    shape: x.shape,
    count: sizeOf(x.shape) / sizeOf(kept),
  };
}

/** The output's shape says which axes are left, unless the axes are gone: then the node's constants say it. */
function keptShape(x: Shape, y: Shape, { node, graph }: Differentiated): Shape {
  if (y.length === x.length) return y;
  if (y.length === 0) return x.map(() => 1);
  const given = node.inputs[1];
  const axes = given ? graph.integersOf(given) : node.attributes.ints("axes");
  return reducedShape(x, axesOf(axes, x.length), true);
}

function extremum(asked: Differentiated): (Value | null)[] {
  const { dy, y, shape } = spread(asked);
  const x = inputOf(asked, 0);
  const hit = asked.graph.one("Equal", [x, y], { shape, type: "bool" }).cast("float32");
  const axes = y.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  // Equal values share the gradient, as PyTorch's amax does.
  return [hit.mul(dy).div(hit.sum(axes, { keepsAxes: true }))];
}

export const reductionRules: GradientRules = {
  ReduceSum: (asked) => {
    const { dy, shape } = spread(asked);
    return [dy.expand(shape)];
  },
  ReduceMean: (asked) => {
    const { dy, shape, count } = spread(asked);
    return [dy.mul(1 / count).expand(shape)];
  },
  ReduceMax: extremum,
  ReduceMin: extremum,
  GlobalMaxPool: extremum,
  ReduceSumSquare: (asked) => [spread(asked).dy.mul(inputOf(asked, 0)).mul(2)],
  ReduceL2: (asked) => {
    const { dy, y } = spread(asked);
    return [dy.mul(inputOf(asked, 0)).div(y)];
  },
};
