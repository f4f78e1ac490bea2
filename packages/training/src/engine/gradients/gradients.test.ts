import { describe, expect, test } from "vitest";
import { Graph } from "../graph.ts";
import { dropout } from "../layers.ts";
import { gradientCases } from "./gradient-cases.fixture.ts";
import { gradientErrors, OpenCase } from "./gradient-check.fixture.ts";
import { gradients } from "./gradients.ts";

describe("gradients are finite differences'", () => {
  test.for(gradientCases)("%s", async ([, shapes, build, drawn]) => {
    for (const error of await gradientErrors(shapes, build, drawn)) expect(error).toBeLessThan(1e-4);
  });
});

test("dropout's gradient is of what it kept", async () => {
  await using open = await OpenCase.open([[1_000]], (_, a) => dropout(a, 0.3));
  const [found] = await open.gradientsOf([new Float32Array(1_000)], new Float32Array(1_000).fill(2));
  const kept = found?.filter((value) => value !== 0) as Float32Array;
  expect(kept.length / 1_000).toBeCloseTo(0.7, 1);
  for (const value of kept) expect(value).toBeCloseTo(2 / 0.7, 5);
  // In one run, what comes out and its gradient keep the same elements.
  await using square = await OpenCase.open([[1_000]], (_, a) => dropout(a, 0.3).mul(a));
  const ones = [new Float32Array(1_000).fill(1)];
  const [twice] = await square.gradientsOf(ones, new Float32Array(1_000).fill(1));
  for (const value of twice as Float32Array) expect([0, Math.fround(2 / 0.7)]).toContain(value);
});

test("what lies within a composite has a gradient where it is asked for", () => {
  const graph = new Graph();
  const [x, v] = [graph.parameter("x", [2, 4, 4], () => 0), graph.parameter("v", [2, 4, 2], () => 0)];
  const weights = x.softmax();
  const [dx, dWeights] = gradients(graph, weights.matmul(v).gelu().sum(), [x, weights]);
  expect([dx?.shape, dWeights?.shape]).toEqual([x.shape, weights.shape]);
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
