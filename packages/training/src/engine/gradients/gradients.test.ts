import { describe, expect, test } from "vitest";
import { Graph } from "../graph.ts";
import { attention, batchNorm, layerNorm, linear } from "../layers.ts";
import { binaryCrossEntropy, crossEntropy, meanAbsoluteError, meanSquaredError } from "../losses.ts";
import type { Shape } from "../shape.ts";
import { concat, where } from "../value.ts";
import { type Built, type CheckOptions, gradientErrors } from "./gradient-check.fixture.ts";
import { gradients } from "./gradients.ts";

type Case = readonly [name: string, shapes: readonly Shape[], build: Built, options?: CheckOptions];

/** Away from 0 by .2 at least, where a function has a kink. */
const awayFromZero = {
  draw: (random: { uniform(): number }) => (random.uniform() < 0.5 ? -1 : 1) * (0.2 + random.uniform()),
};
const positive = { draw: (random: { uniform(): number }) => 0.5 + random.uniform() };
/** All different by .1 at least, so that no difference step changes an order. */
const ranked = (() => {
  let at = 0;
  return { draw: () => ((at++ * 7) % 24) * 0.1 - 1.2 };
})();

const cases: readonly Case[] = [
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
  ["Pow", [[3, 4], [4]], (_, a, b) => a.pow(b), positive],
  [
    "Max and Min",
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => a.max(b).add(a.min(b).mul(0.3)),
    ranked,
  ],
  ["Exp, Log, Sqrt", [[3, 4]], (_, a) => a.exp().add(1).log().add(a.square().add(1).sqrt())],
  ["Sin, Cos, Tanh, Sigmoid", [[3, 4]], (_, a) => a.sin().mul(a.cos()).add(a.tanh()).mul(a.sigmoid())],
  ["Erf and Gelu", [[3, 4]], (_, a) => a.gelu().add(a.erf())],
  [
    "Relu, Abs, Elu, Softplus",
    [[3, 4]],
    (_, a) => a.relu().add(a.abs()).add(a.elu()).mul(a.softplus()),
    awayFromZero,
  ],
  ["Neg", [[3]], (_, a) => a.neg().exp()],
  [
    "Where",
    [
      [3, 4],
      [3, 4],
    ],
    (g, a, b) => where(g.constant(Float32Array.of(1, 0, 1, 0), [4]).cast("bool"), a, b).tanh(),
  ],
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
  ...[
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ].map(
    ([transA, transB]): Case => [
      `Gemm, transA ${transA}, transB ${transB}`,
      [transA ? [5, 4] : [4, 5], transB ? [3, 5] : [5, 3], [3]],
      (g, a, b, c) => {
        const attributes = {
          transA: transA as number,
          transB: transB as number,
          alpha: { float: 0.5 },
          beta: { float: 2 },
        };
        return g.one("Gemm", [a, b, c], { shape: [4, 3] }, attributes).tanh();
      },
    ],
  ),
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
    "LayerNormalization, scale and bias",
    [[3, 8], [8], [8]],
    (g, a, b, c) => g.one("LayerNormalization", [a, b, c], { shape: [3, 8] }, { axis: -1 }).tanh(),
  ],
  ["batch norm by a batch's statistics", [[6, 4]], (_, a) => batchNorm("b", a).tanh()],
  [
    "ReduceSum and ReduceMean",
    [[2, 3, 4]],
    (_, a) =>
      a
        ?.sum([1])
        .mul(a.mean([0, 1]))
        .add(a.mean([1], { keepsAxes: true }).sum([1])),
  ],
  ["ReduceMax", [[3, 8]], (_, a) => a.largest([1]).exp(), ranked],
  ["Transpose, Reshape", [[2, 3, 4]], (_, a) => a.transpose([2, 0, 1]).reshape([4, 6]).exp()],
  ["Expand", [[3, 1]], (_, a) => a.expand([2, 3, 4]).sin()],
  [
    "Slice and Concat",
    [[3, 7]],
    (_, a) =>
      concat([a.slice(1, 2, 5), a.slice(1, 0, 2), a.slice(0, 1, 3).slice(1, 1, 4).transposed()], 1).sin(),
  ],
  [
    "Gather of repeated rows",
    [[5, 3]],
    (g, a) => a.gather(g.constant(BigInt64Array.of(0n, 2n, 2n, 4n), [2, 2])).tanh(),
  ],
  ["Gather along the last axis", [[3, 5]], (g, a) => a.gather(g.integers([1, 1, 4]), 1).tanh()],
  ["Gather of a permutation", [[3, 4]], (g, a) => a.gather(g.integers([2, 0, 3, 1]), 1).tanh()],
  [
    "GatherElements",
    [[3, 4]],
    (g, a) => a.gatherElements(g.constant(BigInt64Array.of(0n, 2n, 2n, 3n, 3n, 1n), [3, 2]), 1).tanh(),
  ],
  ["TopK", [[3, 8]], (_, a) => a.topK(3).values.tanh(), ranked],
  ["unit length", [[3, 5]], (_, a) => a.unit()],
  ["attention", [[2, 3, 4]], (_, a) => attention("a", a, a.tanh(), { heads: 2 })],
  ["linear", [[2, 3, 4]], (_, a) => linear("l", a, 5).tanh()],
  [
    "mean squared and mean absolute error",
    [
      [3, 4],
      [3, 4],
    ],
    (_, a, b) => meanSquaredError(a, b).add(meanAbsoluteError(a, b)),
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
    (_, a, b) => binaryCrossEntropy(a, b.sigmoid()),
  ],
];

describe("gradients are finite differences'", () => {
  test.for(cases)("%s", async ([, shapes, build, options]) => {
    for (const error of await gradientErrors(shapes, build, options)) expect(error).toBeLessThan(1e-4);
  });
});

test("an operator without a rule is named, with its node", () => {
  const graph = new Graph();
  const weight = graph.parameter("w", [3], new Float32Array(3));
  const sum = graph.scoped("encoder", () =>
    graph.one("CumSum", [weight, graph.scalar(0).cast("int64")], { shape: [3] }),
  );
  expect(() => gradients(graph, sum.sum(), [weight])).toThrow(
    expect.objectContaining({
      code: "training_unsupported",
      message: 'the operator CumSum of node "encoder/CumSum.3" can\'t be differentiated',
    }),
  );
});

test("what does not lead to a parameter is not differentiated", () => {
  const graph = new Graph();
  const x = graph.input("x", [2, 3]);
  const weight = graph.parameter("w", [3, 1], new Float32Array(3).fill(1));
  const frozen = graph.one("CumSum", [x, graph.scalar(0).cast("int64")], { shape: [2, 3] });
  const before = graph.nodes.length;
  gradients(graph, frozen.matmul(weight).sum(), [weight]);
  expect(graph.nodes.slice(before).map(({ opType }) => opType)).not.toContain("CumSum");
});
