/** The part of gradient-cases.fixture.ts that slides windows over images. */
import type { Attributes } from "../attributes.ts";
import type { Graph } from "../graph.ts";
import type { Shape } from "../shape.ts";
import type { Built, GradientCase } from "./gradient-check.fixture.ts";

/** Of an image [batch, channels, ...] by one operator; what comes out is bent, so that its gradient is not constant. */
function windowed(opType: string, shape: Shape, attributes: Attributes): Built {
  return (g: Graph, ...values) => g.one(opType, values, { shape }, attributes).tanh();
}

export const windowCases: readonly GradientCase[] = [
  ["Conv along one axis", [[2, 3, 7], [4, 3, 3], [4]], windowed("Conv", [2, 4, 5], {})],
  [
    "Conv with strides that leave a rest, padded on one side",
    [[2, 2, 8], [3, 2, 3], [3]],
    windowed("Conv", [2, 3, 3], { strides: [3], pads: [2, 0] }),
  ],
  [
    "Conv whose last elements no window covers",
    [[2, 2, 9], [3, 2, 2], [3]],
    windowed("Conv", [2, 3, 3], { strides: [3] }),
  ],
  [
    "Conv in groups, with dilations",
    [[2, 4, 9], [6, 2, 3], [6]],
    windowed("Conv", [2, 6, 7], { group: 2, dilations: [2], pads: [1, 1] }),
  ],
  [
    "Conv per channel",
    [
      [1, 3, 6],
      [3, 1, 4],
    ],
    windowed("Conv", [1, 3, 7], { group: 3, pads: [2, 2] }),
  ],
  [
    "Conv along two axes, all different",
    [[2, 3, 6, 7], [2, 3, 3, 2], [2]],
    windowed("Conv", [2, 2, 3, 6], { strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 1] }),
  ],
  [
    "Conv of one element",
    [
      [2, 3, 4, 4],
      [5, 3, 1, 1],
    ],
    windowed("Conv", [2, 5, 4, 4], {}),
  ],
  [
    "Conv of one element with strides",
    [
      [2, 3, 5, 4],
      [2, 3, 1, 1],
    ],
    windowed("Conv", [2, 2, 3, 2], { strides: [2, 2] }),
  ],
  [
    "Conv, padded to the same size at the end",
    [
      [1, 2, 7],
      [2, 2, 4],
    ],
    windowed("Conv", [1, 2, 4], { strides: [2], auto_pad: "SAME_UPPER" }),
  ],
  [
    "Conv, padded to the same size at the beginning",
    [
      [1, 2, 7],
      [2, 2, 4],
    ],
    windowed("Conv", [1, 2, 7], { auto_pad: "SAME_LOWER" }),
  ],
  [
    "MaxPool of windows that overlap",
    [[2, 1, 5, 5]],
    windowed("MaxPool", [2, 1, 3, 3], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    "ranked",
  ],
  [
    "MaxPool along one axis, rounded up",
    [[2, 3, 8]],
    windowed("MaxPool", [2, 3, 4], { kernel_shape: [3], strides: [2], ceil_mode: 1 }),
    "ranked",
  ],
  [
    "AveragePool, padding left out of the mean",
    [[2, 2, 5, 4]],
    windowed("AveragePool", [2, 2, 3, 4], { kernel_shape: [3, 3], strides: [2, 1], pads: [1, 1, 1, 1] }),
  ],
  [
    "AveragePool, padding counted",
    [[1, 2, 8]],
    windowed("AveragePool", [1, 2, 4], {
      kernel_shape: [4],
      strides: [2],
      pads: [1, 1],
      count_include_pad: 1,
    }),
  ],
  [
    "AveragePool, rounded up",
    [[1, 2, 8]],
    windowed("AveragePool", [1, 2, 4], { kernel_shape: [3], strides: [2], ceil_mode: 1 }),
  ],
  ["GlobalAveragePool", [[2, 3, 2, 4]], windowed("GlobalAveragePool", [2, 3, 1, 1], {})],
  ["GlobalMaxPool", [[2, 2, 6]], windowed("GlobalMaxPool", [2, 2, 1], {}), "ranked"],
];
