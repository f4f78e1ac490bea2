import { strict as assert } from "node:assert";
import { axisOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { scatterElements } from "./indexing.ts";
import {
  type Differentiated,
  demand,
  firstIncoming,
  type GradientRule,
  type GradientRules,
  inputOf,
} from "./rule.ts";

/** Elements keep their order: the gradient gets the input's shape back. */
const reshaped: GradientRule = (asked) => [firstIncoming(asked).reshape(inputOf(asked, 0).shape)];

function transpose(asked: Differentiated): (Value | null)[] {
  const dy = firstIncoming(asked);
  const axes = Array.from({ length: dy.rank }, (_, axis) => axis);
  const permutation = asked.node.attributes.ints("perm") ?? axes.toReversed();
  return [dy.transpose(axes.map((axis) => permutation.indexOf(axis)))];
}

function concat(asked: Differentiated): (Value | null)[] {
  const dy = firstIncoming(asked);
  const axis = axisOf(asked.node.attributes.int("axis", 0), dy.rank);
  let from = 0;
  return asked.node.inputs.map((value, at) => {
    assert(value, `${asked.node.name} joins what is there`);
    const to = from + (value.shape[axis] as number);
    const part = asked.needs[at] ? dy.slice(axis, from, to) : null;
    from = to;
    return part;
  });
}

function split(asked: Differentiated): (Value | null)[] {
  const { node, incoming, graph } = asked;
  const x = inputOf(asked, 0);
  const parts = node.outputs.map((output, at) => {
    assert(output, `${node.name} gives what it splits`);
    return incoming[at] ?? graph.scalar(0).expand(output.shape);
  });
  const axis = axisOf(node.attributes.int("axis", 0), x.rank);
  return [graph.one("Concat", parts, { shape: x.shape }, { axis })];
}

/** Zeros around: of constant bounds and steps of 1. */
function slice(asked: Differentiated): (Value | null)[] {
  const { graph, node } = asked;
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  const integers = (at: number) => {
    const value = node.inputs[at];
    return value ? graph.integersOf(value) : undefined;
  };
  const starts = integers(1) ?? [];
  const axes = integers(3) ?? starts.map((_, axis) => axis);
  const steps = integers(4) ?? starts.map(() => 1);
  if (steps.some((step) => step !== 1)) return [stridedSlice(asked, { starts, axes, steps })];
  const before = x.shape.map(() => 0);
  for (const [at, axis] of axes.entries()) {
    const size = x.size(axis);
    const start = starts[at] as number;
    before[axisOf(axis, x.rank)] = start < 0 ? Math.max(0, start + size) : Math.min(start, size);
  }
  const after = x.shape.map((size, axis) => size - (before[axis] as number) - (dy.shape[axis] as number));
  return [graph.one("Pad", [dy, graph.integers([...before, ...after])], { shape: x.shape })];
}

/** Positions that were taken, scattered back: one axis at a time. */
function stridedSlice(
  asked: Differentiated,
  { starts, axes, steps }: { starts: readonly number[]; axes: readonly number[]; steps: readonly number[] },
): Value {
  const { graph } = asked;
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  demand(asked, axes.length === 1, "it takes steps along several axes");
  const axis = axisOf(axes[0] as number, x.rank);
  const [size, step, start] = [x.size(axis), steps[0] as number, starts[0] as number];
  const from = Math.min(start < 0 ? start + size : start, size - 1);
  const positions = Array.from({ length: dy.size(axis) }, (_, at) => from + at * step);
  const shape = dy.shape.map((_, other) => (other === axis ? positions.length : 1));
  const index = graph.integers(positions).reshape(shape).expand(dy.shape);
  return scatterElements(x, index, dy, axis);
}

/** Zeros were put around: they are cut off. Other modes repeat values and are not differentiated. */
function pad(asked: Differentiated): (Value | null)[] {
  const { graph, node } = asked;
  demand(asked, node.attributes.string("mode", "constant") === "constant", "it repeats values");
  const x = inputOf(asked, 0);
  const pads = graph.integersOf(inputOf(asked, 1));
  const given = node.inputs[3];
  const axes = given ? graph.integersOf(given) : x.shape.map((_, axis) => axis);
  demand(
    asked,
    pads.every((size) => size >= 0),
    "it cuts off",
  );
  return [
    axes.reduce((dy, axis, at) => {
      const before = pads[at] as number;
      return dy.slice(axis, before, before + x.size(axis));
    }, firstIncoming(asked)),
  ];
}

/** Every repeat's gradient, summed. */
function tile(asked: Differentiated): (Value | null)[] {
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  const repeats = asked.graph.integersOf(inputOf(asked, 1));
  const split = dy.reshape(x.shape.flatMap((size, axis) => [repeats[axis] as number, size]));
  return [split.sum(x.shape.map((_, axis) => 2 * axis))];
}

export const shapeRules: GradientRules = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Expand: (asked) => [firstIncoming(asked).sumTo(inputOf(asked, 0).shape)],
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: tile,
};
