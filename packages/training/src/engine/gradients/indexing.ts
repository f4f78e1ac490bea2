import { axisOf, sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { type Differentiated, firstIncoming, type GradientRules, inputOf, outputOf } from "./rule.ts";

function zerosLike(value: Value): Value {
  return value.graph.scalar(0).expand(value.shape);
}

/** Rows that were taken more than once get the sum. Constant positions that are a permutation are gathered back. */
function gather(asked: Differentiated): (Value | null)[] {
  const [dy, x, positions] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  const axis = axisOf(asked.node.attributes.int("axis", 0), x.rank);
  const inverse = inverseOf(asked, x.size(axis));
  if (inverse !== null) return [dy.gather(inverse, axis), null];
  const count = sizeOf(positions.shape);
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const flat = dy.reshape([...before, count, ...after]);
  if (axis === 0) return [scatterRows(x, positions.reshape([count, 1]), flat), null];
  // ScatterND writes along the first axis: the gathered one goes there and back.
  const axes = x.shape.map((_, at) => at);
  const first = [axis, ...axes.filter((at) => at !== axis)];
  const scattered = scatterRows(x.transpose(first), positions.reshape([count, 1]), flat.transpose(first));
  return [scattered.transpose(axes.map((at) => first.indexOf(at))), null];
}

function scatterRows(like: Value, positions: Value, rows: Value): Value {
  const inputs = [zerosLike(like), positions, rows];
  return like.graph.one("ScatterND", inputs, { shape: like.shape }, { reduction: "add" });
}

function inverseOf({ graph, node }: Differentiated, size: number): Value | null {
  const positions = node.inputs[1];
  if (positions?.rank !== 1 || positions.size(0) !== size || !graph.isConstant(positions)) return null;
  const forward = graph.integersOf(positions);
  const inverse = new Array<number>(size).fill(-1);
  for (const [to, from] of forward.entries()) inverse[from < 0 ? from + size : from] = to;
  return inverse.includes(-1) ? null : graph.integers(inverse);
}

/** Zeros of the shape of `like`, with the values added at their positions along an axis. */
export function scatterElements(like: Value, positions: Value, values: Value, axis: number): Value {
  const inputs = [zerosLike(like), positions, values];
  return like.graph.one(
    "ScatterElements",
    inputs,
    { shape: like.shape },
    {
      axis,
      reduction: "add",
    },
  );
}

export const indexingRules: GradientRules = {
  Gather: gather,
  GatherElements: (asked) => {
    const [x, positions] = [inputOf(asked, 0), inputOf(asked, 1)];
    const axis = axisOf(asked.node.attributes.int("axis", 0), x.rank);
    return [scatterElements(x, positions, firstIncoming(asked), axis), null];
  },
  TopK: (asked) => {
    const x = inputOf(asked, 0);
    const axis = axisOf(asked.node.attributes.int("axis", -1), x.rank);
    return [scatterElements(x, outputOf(asked, 1), firstIncoming(asked), axis), null];
  },
};
