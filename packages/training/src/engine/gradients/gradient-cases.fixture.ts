/** What gradients are checked on: every rule at least once. infra/reference/gradients.py computes the same with PyTorch. */
import { attention, batchNorm, conv1d, layerNorm, linear, maxPool1d } from "../layers.ts";
import { crossEntropy, meanSquaredError } from "../losses.ts";
import type { Shape } from "../shape.ts";
import { concat, type Value, where } from "../value.ts";
import type { GradientCase } from "./gradient-check.fixture.ts";
import { windowCases } from "./window-cases.fixture.ts";

const float = (value: number) => ({ float: value });

const elementwise: readonly GradientCase[] = [
  [
    "Add, Mul and Div that broadcast",
    [[3, 4], [4], [3, 1]],
    (_, a, b, c) => a.add(b).mul(c).div(b.square().add(1)),
  ],
  [
    "Sub",
    [
      [2, 3],
      [1, 3],
    ],
    (_, a, b) => a.sub(b).tanh(),
  ],
  ["Pow", [[3, 4], [4]], (_, a, b) => a.pow(b), "positive"],
  ["Pow of a constant exponent", [[3, 4]], (_, a) => a.pow(2).add(a.pow(3).mul(0.1))],
  [
    "Max and Min",
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => a.max(b).add(a.min(b).mul(0.3)),
    "ranked",
  ],
  ["Sum of three", [[2, 3], [3], [2, 1]], (g, a, b, c) => g.one("Sum", [a, b, c], { shape: [2, 3] }).tanh()],
  ["Exp, Log, Sqrt", [[3, 4]], (_, a) => a.exp().add(1).log().add(a.square().add(1).sqrt())],
  ["Reciprocal", [[3, 4]], (_, a) => a.add(1).unary("Reciprocal"), "positive"],
  ["Sin, Cos, Tanh, Sigmoid", [[3, 4]], (_, a) => a.sin().mul(a.cos()).add(a.tanh()).mul(a.sigmoid())],
  ["Erf and gelu", [[3, 4]], (_, a) => a.gelu().add(a.erf())],
  [
    "Relu, Abs, Elu, Softplus",
    [[3, 4]],
    (_, a) => a.relu().add(a.abs()).add(a.elu()).mul(a.softplus()),
    "awayFromZero",
  ],
  [
    "LeakyRelu and Elu of another alpha",
    [[3, 4]],
    (g, a) =>
      g
        .one("LeakyRelu", [a], { shape: [3, 4] }, { alpha: float(0.3) })
        .add(g.one("Elu", [a], { shape: [3, 4] }, { alpha: float(0.7) })),
    "awayFromZero",
  ],
  ["Neg and Identity", [[3]], (_, a) => a.neg().exp().unary("Identity")],
  [
    "Clip at either bound",
    [[3, 4]],
    (g, a) => {
      const above = g.one("Clip", [a, g.scalar(0)], { shape: [3, 4] });
      return above.sin().add(g.one("Clip", [a, g.scalar(-9), g.scalar(0)], { shape: [3, 4] }).exp());
    },
    "awayFromZero",
  ],
  [
    "Cast",
    [[3, 4]],
    (_, a) => a.sin().cast("float32").mul(a.atLeast(0).cast("int64").cast("float32")),
    "awayFromZero",
  ],
  [
    "Where",
    [
      [3, 4],
      [3, 4],
    ],
    (g, a, b) => where(g.constant(Float32Array.of(1, 0, 1, 0), [4]).cast("bool"), a, b).tanh(),
  ],
];

const gemms = [
  [0, 0],
  [1, 0],
  [0, 1],
  [1, 1],
].map(
  ([transA, transB]): GradientCase => [
    `Gemm, transA ${transA}, transB ${transB}`,
    [transA ? [5, 4] : [4, 5], transB ? [3, 5] : [5, 3], [3]],
    (g, a, b, c) => {
      const flags = { transA: transA as number, transB: transB as number };
      const attributes = { ...flags, alpha: float(0.5), beta: float(2) };
      return g.one("Gemm", [a, b, c], { shape: [4, 3] }, attributes).tanh();
    },
  ],
);

const matrices: readonly GradientCase[] = [
  [
    "MatMul of matrices",
    [
      [4, 5],
      [5, 3],
    ],
    (_, a, b) => a.matmul(b).tanh(),
  ],
  [
    "MatMul with a matrix on the right",
    [
      [2, 4, 5],
      [5, 3],
    ],
    (_, a, b) => a.matmul(b).sin(),
  ],
  [
    "MatMul of batches",
    [
      [2, 3, 4, 5],
      [2, 3, 5, 4],
    ],
    (_, a, b) => a.matmul(b).tanh(),
  ],
  [
    "MatMul that broadcasts batches",
    [
      [4, 5],
      [2, 3, 5, 2],
    ],
    (_, a, b) => a.matmul(b).tanh(),
  ],
  [
    "MatMul with a vector on either side",
    [[5], [2, 5, 3], [3]],
    (g, a, b, c) => {
      const left = g.one("MatMul", [a, b], { shape: [2, 3] });
      return left.tanh().mul(g.one("MatMul", [b, c], { shape: [2, 5] }).sum([1], { keepsAxes: true }));
    },
  ],
  ...gemms,
];

const normalisations: readonly GradientCase[] = [
  [
    "Softmax",
    [
      [3, 6],
      [3, 6],
    ],
    (_, a, b) => a.softmax().mul(b),
  ],
  ["Softmax along another axis", [[3, 6, 2]], (_, a) => a.softmax(1)],
  ["LogSoftmax", [[3, 6]], (_, a) => a.logSoftmax()],
  ["LayerNormalization", [[3, 2, 8]], (_, a) => layerNorm("n", a).tanh()],
  [
    "LayerNormalization over two axes",
    [
      [3, 2, 4],
      [2, 4],
      [2, 4],
    ],
    (g, a, b, c) => g.one("LayerNormalization", [a, b, c], { shape: [3, 2, 4] }, { axis: 1 }).tanh(),
  ],
  [
    "BatchNormalization by running statistics",
    [[2, 3, 4], [3], [3]],
    (g, a, b, c) => {
      const [mean, variance] = [Float32Array.of(0.1, -0.2, 0.3), Float32Array.of(1, 2, 3)];
      const inputs = [a, b, c, g.constant(mean, [3]), g.constant(variance, [3])];
      return g.one("BatchNormalization", inputs, { shape: [2, 3, 4] }, { epsilon: float(0.01) }).tanh();
    },
  ],
  [
    "InstanceNormalization",
    [[2, 3, 5], [3], [3]],
    (g, a, b, c) => g.one("InstanceNormalization", [a, b, c], { shape: [2, 3, 5] }).tanh(),
  ],
  ["batch norm by a batch's statistics", [[6, 4]], (_, a) => batchNorm("b", a).tanh()],
  ["unit length", [[3, 5]], (_, a) => a.unit()],
];

const reductions: readonly GradientCase[] = [
  [
    "ReduceSum and ReduceMean",
    [[2, 3, 4]],
    (_, a) =>
      a
        .sum([1])
        .mul(a.mean([0, 1]))
        .add(a.mean([1], { keepsAxes: true }).sum([1])),
  ],
  [
    "ReduceMax and ReduceMin",
    [[3, 8]],
    (_, a) =>
      a
        .largest([1])
        .exp()
        .add(a.reduce("ReduceMin", [1], false)),
    "ranked",
  ],
  [
    "ReduceSumSquare and ReduceL2",
    [[3, 4, 2]],
    (_, a) => a.reduce("ReduceSumSquare", [1], false).mul(a.reduce("ReduceL2", [-2], true).sum([1])),
  ],
];

const shapes: readonly GradientCase[] = [
  ["Transpose, Reshape", [[2, 3, 4]], (_, a) => a.transpose([2, 0, 1]).reshape([4, 6]).exp()],
  [
    "Flatten, Squeeze, Unsqueeze",
    [[2, 1, 3]],
    (g, a) => {
      const squeezed = g.one("Squeeze", [a, g.integers([1])], { shape: [2, 3] }).tanh();
      const unsqueezed = g.one("Unsqueeze", [squeezed, g.integers([0, 3])], { shape: [1, 2, 3, 1] });
      return g.one("Flatten", [unsqueezed.sin()], { shape: [2, 3] }, { axis: 2 }).exp();
    },
  ],
  ["Expand", [[3, 1]], (_, a) => a.expand([2, 3, 4]).sin()],
  [
    "Slice and Concat",
    [[3, 7]],
    (_, a) =>
      concat([a.slice(1, 2, 5), a.slice(1, 0, 2), a.slice(0, 1, 3).slice(1, 1, 4).transposed()], 1).sin(),
  ],
  [
    "Slice with steps, from the end",
    [[3, 7]],
    (g, a) => {
      const sliced = (at: readonly number[], shape: Shape) =>
        g.one("Slice", [a, ...at.map((number) => g.integers([number]))], { shape });
      const [forward, backward] = [sliced([1, 99, 1, 2], [3, 3]), sliced([-1, -99, 1, -3], [3, 3])];
      return forward
        .sin()
        .mul(backward)
        .add(sliced([-3, 99, -1], [3, 3]).exp());
    },
  ],
  [
    "Split, one part unused",
    [[2, 6]],
    (g, a) => {
      const parts = [{ shape: [2, 1] }, { shape: [2, 2] }, { shape: [2, 3] }];
      const [first, , third] = g.node("Split", [a, g.integers([1, 2, 3])], parts, { axis: 1 });
      return (first as Value).mul((third as Value).exp());
    },
  ],
  [
    "Pad",
    [[2, 3]],
    (g, a) => {
      const all = g.one("Pad", [a.tanh(), g.integers([1, 0, 0, 2]), g.scalar(0.5)], { shape: [3, 5] });
      const inputs = [all, g.integers([1, 0]), null, g.integers([-1])];
      return g.one("Pad", inputs, { shape: [3, 6] }).cos();
    },
  ],
  ["Tile", [[2, 3]], (g, a) => g.one("Tile", [a, g.integers([2, 3])], { shape: [4, 9] }).sin()],
];

const indexing: readonly GradientCase[] = [
  [
    "Gather of repeated rows",
    [[5, 3]],
    (g, a) => a.gather(g.constant(BigInt64Array.of(0n, 2n, 2n, 4n), [2, 2])).tanh(),
  ],
  ["Gather along the last axis", [[3, 5]], (g, a) => a.gather(g.integers([1, 1, 4]), 1).tanh()],
  ["Gather of one position", [[3, 5]], (g, a) => a.gather(g.constant(BigInt64Array.of(-2n), []), 1).exp()],
  ["Gather of a permutation", [[3, 4]], (g, a) => a.gather(g.integers([2, 0, 3, 1]), 1).tanh()],
  [
    "GatherElements",
    [[3, 4]],
    (g, a) => a.gatherElements(g.constant(BigInt64Array.of(0n, 2n, 2n, 3n, 3n, 1n), [3, 2]), 1).tanh(),
  ],
  ["TopK", [[3, 8]], (_, a) => a.topK(3).values.tanh(), "ranked"],
];

const layers: readonly GradientCase[] = [
  ["attention", [[2, 3, 4]], (_, a) => attention("a", a, a.tanh(), { heads: 2 })],
  ["linear", [[2, 3, 4]], (_, a) => linear("l", a, 5).tanh()],
  [
    "convolution of a circle",
    [[2, 5, 3]],
    (_, a) => conv1d("c", a, 4, { kernel: 3, padding: "circular" }).tanh(),
  ],
  [
    "convolution with zeros around",
    [[2, 5, 3]],
    (_, a) => conv1d("c", a, 2, { kernel: 4, padding: "zeros" }).tanh(),
  ],
  [
    "pooling along time",
    [[2, 8, 3]],
    (_, a) => maxPool1d(a, { kernel: 3, stride: 2, padding: 1 }).exp(),
    "ranked",
  ],
];

const losses: readonly GradientCase[] = [
  [
    "mean squared and mean absolute error",
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => meanSquaredError(a, b).add(a.sub(b).abs().mean()),
  ],
  [
    "cross-entropy",
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => crossEntropy(a, b.softmax()),
  ],
  [
    "binary cross-entropy",
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => a.softplus().sub(a.mul(b.sigmoid())).mean(),
  ],
];

export const gradientCases: readonly GradientCase[] = [
  ...elementwise,
  ...matrices,
  ...normalisations,
  ...reductions,
  ...shapes,
  ...indexing,
  ...windowCases,
  ...layers,
  ...losses,
];
