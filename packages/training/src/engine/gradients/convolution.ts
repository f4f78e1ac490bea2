import { sizeOf } from "../shape.ts";
import type { Value } from "../value.ts";
import { type Differentiated, demand, firstIncoming, type GradientRules, inputOf } from "./rule.ts";
import { padsOf, uncovered, type Windows, windowCounts, windowsOf } from "./windows.ts";

/**
 * x [batch, channels, ...], weight [outputs, channels / groups, ...kernel], bias [outputs]: along any number of axes. What goes
 * back to x is the transposed convolution, to the weight a convolution of x with dy whose strides and dilations are exchanged
 * (Dumoulin & Visin, A guide to convolution arithmetic for deep learning, 2016).
 */
function convolution(asked: Differentiated): (Value | null)[] {
  const [dy, x, weight] = [firstIncoming(asked), inputOf(asked, 0), inputOf(asked, 1)];
  const { attributes } = asked.node;
  const sizes = { from: x.shape.slice(2), to: dy.shape.slice(2) };
  const windows = windowsOf(attributes, weight.shape.slice(2), sizes);
  const groups = attributes.int("group", 1);
  return [
    asked.needs[0] ? transposedConvolution(dy, weight, { like: x, windows, groups }) : null,
    asked.needs[1] ? weightGradient(x, dy, { like: weight, windows, groups }) : null,
    asked.needs[2] ? dy.sum([0, ...spatialAxes(dy)]) : null,
  ];
}

function transposedConvolution(
  dy: Value,
  weight: Value,
  { like, windows, groups }: { like: Value; windows: Windows; groups: number },
): Value {
  return dy.graph.one(
    "ConvTranspose",
    [dy, weight],
    { shape: like.shape },
    {
      strides: windows.strides,
      dilations: windows.dilations,
      pads: padsOf(windows),
      output_padding: uncovered(windows),
      group: groups,
    },
  );
}

/** The batch takes the channels' place, so that the convolution sums over it; groups stay groups. */
function weightGradient(
  x: Value,
  dy: Value,
  { like, windows, groups }: { like: Value; windows: Windows; groups: number },
): Value {
  const covered = uncovered(windows).reduce(
    (value, size, axis) => value.slice(axis + 2, 0, value.size(axis + 2) - size),
    x,
  );
  const [batch, channels, spatial] = [x.size(0), x.size(1), covered.shape.slice(2)];
  const each = channels / groups;
  const swapped = [1, 0, ...spatialAxes(x)];
  const images =
    groups === 1
      ? covered.transpose(swapped)
      : covered
          .reshape([batch, groups, each, ...spatial])
          .transpose([2, 1, 0, ...spatial.map((_, axis) => axis + 3)])
          .reshape([each, groups * batch, ...spatial]);
  const attributes = {
    strides: windows.dilations,
    dilations: windows.strides,
    pads: padsOf(windows),
    group: groups,
  };
  const shape = [each, dy.size(1), ...windows.kernel];
  return x.graph
    .one("Conv", [images, dy.transpose(swapped)], { shape }, attributes)
    .transpose(swapped)
    .reshape(like.shape);
}

/** The largest of a window has its gradient; of equal ones the first. */
function maxPool(asked: Differentiated): (Value | null)[] {
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  const { graph, node } = asked;
  demand(asked, node.attributes.int("storage_order", 0) === 0, "its positions are column-major");
  // Positions in the flattened input; windows may overlap, so that one may have several gradients.
  const positions = graph.extraOutput(node, 1, dy.shape, "int64");
  const flat = [sizeOf(dy.shape)];
  const inputs = [graph.scalar(0).expand([sizeOf(x.shape)]), positions.reshape(flat), dy.reshape(flat)];
  const scattered = graph.one(
    "ScatterElements",
    inputs,
    { shape: [sizeOf(x.shape)] },
    { axis: 0, reduction: "add" },
  );
  return [scattered.reshape(x.shape)];
}

/** Each element of a window has its share of the gradient; padding counts as an element where the operator says so. */
function averagePool(asked: Differentiated): (Value | null)[] {
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  const { graph, node } = asked;
  const kernel = node.attributes.ints("kernel_shape") ?? [];
  const sizes = { from: x.shape.slice(2), to: dy.shape.slice(2) };
  const windows = windowsOf(node.attributes, kernel, sizes);
  const countsPadding = node.attributes.int("count_include_pad", 0) === 1;
  demand(
    asked,
    !countsPadding || node.attributes.int("ceil_mode", 0) === 0,
    "it counts padding beyond its pads",
  );
  const counts = windowCounts(windows, sizes).map((count) => 1 / (countsPadding ? sizeOf(kernel) : count));
  const shares = dy.mul(graph.constant(counts, [1, 1, ...sizes.to]));
  // Channels are alike: each counts as an image of its own.
  const images = x.size(0) * x.size(1);
  const ones = graph.constant(new Float32Array(sizeOf(kernel)).fill(1), [1, 1, ...kernel]);
  const like = x.reshape([images, 1, ...sizes.from]);
  const back = transposedConvolution(shares.reshape([images, 1, ...sizes.to]), ones, {
    like,
    windows,
    groups: 1,
  });
  return [back.reshape(x.shape)];
}

function globalAveragePool(asked: Differentiated): (Value | null)[] {
  const [dy, x] = [firstIncoming(asked), inputOf(asked, 0)];
  return [dy.mul(1 / sizeOf(x.shape.slice(2))).expand(x.shape)];
}

function spatialAxes(x: Value): readonly number[] {
  return Array.from({ length: x.rank - 2 }, (_, axis) => axis + 2);
}

export const convolutionRules: GradientRules = {
  Conv: convolution,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
};
