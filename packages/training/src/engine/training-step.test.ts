import { Random } from "@medley/core";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { Graph } from "./graph.ts";
import { batchNorm, dropout, linear } from "./layers.ts";
import { crossEntropy, meanSquaredError } from "./losses.ts";
import { openDimension } from "./shape.ts";
import { type Batch, TrainingStep } from "./training-step.ts";
import type { Value } from "./value.ts";

/** Two rings, which no line separates. */
function rings(count: number, seed: number): { points: Float32Array; classes: Float32Array } {
  const random = new Random(seed);
  const [points, classes] = [new Float32Array(2 * count), new Float32Array(2 * count)];
  for (let row = 0; row < count; row += 1) {
    const [inner, angle] = [random.below(2), 2 * Math.PI * random.uniform()];
    const radius = 1 + inner + 0.1 * random.normal();
    points.set([radius * Math.cos(angle), radius * Math.sin(angle)], 2 * row);
    classes[2 * row + inner] = 1;
  }
  return { points, classes };
}

const perceptron = (x: Value) => linear("out", dropout(linear("hidden", x, 32).tanh(), 0.1), 2);

async function openRings(seed: number): Promise<TrainingStep> {
  const graph = new Graph({ seed });
  const logits = perceptron(graph.input("x", [64, 2]));
  return TrainingStep.create(graph, crossEntropy(logits, graph.input("y", [64, 2])));
}

async function trainRings(step: TrainingStep, { from, to }: { from: number; to: number }): Promise<number[]> {
  const losses: number[] = [];
  for (let at = from; at < to; at += 1) {
    const { points, classes } = rings(64, 1_000 + at);
    losses.push((await step.train({ x: points, y: classes }, 0.02)).loss);
  }
  return losses;
}

/** The model as it is served: the same function, what training found as constants, any number of rows. */
async function serve(trained: ReadonlyMap<string, Float32Array>, build: (x: Value) => Value, width: number) {
  const graph = new Graph({ trained });
  const out = build(graph.input("x", [openDimension, width]));
  const session = await InferenceSession.create(graph.model(new Map([["out", out]])));
  return async (rows: Float32Array) => {
    const { out: result } = await session.run({
      x: new Tensor("float32", rows, [rows.length / width, width]),
    });
    return result?.data as Float32Array;
  };
}

test("a perceptron learns what no line separates, and serves it for any number of rows", async () => {
  await using step = await openRings(1);
  const losses = await trainRings(step, { from: 0, to: 200 });
  expect(losses[0]).toBeGreaterThan(0.6);
  const answer = await serve(step.trained(), perceptron, 2);
  const { points, classes } = rings(500, 5);
  const logits = await answer(points);
  let right = 0;
  for (let row = 0; row < 500; row += 1) {
    const inner = (logits[2 * row + 1] as number) > (logits[2 * row] as number);
    if (inner === (classes[2 * row + 1] === 1)) right += 1;
  }
  expect(right / 500).toBeGreaterThan(0.97);
  expect((await answer(points.slice(0, 2)))[0]).toBeCloseTo(logits[0] as number, 5);
});

test("the same seed gives the same bits, another one does not", async () => {
  const trainedOf = async (seed: number) => {
    await using step = await openRings(seed);
    await trainRings(step, { from: 0, to: 10 });
    return step.trained();
  };
  const first = await trainedOf(3);
  expect(await trainedOf(3)).toEqual(first);
  expect(await trainedOf(4)).not.toEqual(first);
});

test("a restored state goes on to the same bits", async () => {
  const build = async () => {
    const graph = new Graph({ seed: 3 });
    const out = linear("out", batchNorm("norm", linear("hidden", graph.input("x", [64, 2]), 8)).tanh(), 2);
    return TrainingStep.create(graph, meanSquaredError(out, graph.input("y", [64, 2])), {
      optimiser: { weightDecay: 0.01, clipNorm: 1 },
    });
  };
  await using whole = await build();
  await trainRings(whole, { from: 0, to: 5 });
  const state = whole.state();
  await trainRings(whole, { from: 5, to: 10 });
  await using resumed = await build();
  resumed.restore(state);
  expect(resumed.steps).toBe(5);
  await trainRings(resumed, { from: 5, to: 10 });
  expect(resumed.trained()).toEqual(whole.trained());
});

test("AdamW's step is the paper's", async () => {
  const graph = new Graph();
  const weight = graph.parameter("w", [2, 1], Float32Array.of(1, -2));
  const loss = graph.input("x", [1, 2]).matmul(weight).sum();
  const [beta1, beta2, epsilon, weightDecay, rate] = [0.9, 0.99, 1e-3, 0.1, 0.05];
  await using step = await TrainingStep.create(graph, loss, {
    optimiser: { beta1, beta2, epsilon, weightDecay },
  });
  const expected = [1, -2];
  const [first, second] = [
    [0, 0],
    [0, 0],
  ] as [number[], number[]];
  for (let t = 1; t <= 4; t += 1) {
    const gradient = [t, -0.5 * t]; // The input: d loss / d w.
    await step.train({ x: Float32Array.from(gradient) }, rate);
    for (const [at, g] of gradient.entries()) {
      first[at] = beta1 * (first[at] as number) + (1 - beta1) * g;
      second[at] = beta2 * (second[at] as number) + (1 - beta2) * g * g;
      const [m, v] = [(first[at] as number) / (1 - beta1 ** t), (second[at] as number) / (1 - beta2 ** t)];
      expected[at] =
        (expected[at] as number) * (1 - rate * weightDecay) - (rate * m) / (Math.sqrt(v) + epsilon);
    }
    for (const [at, value] of (step.trained().get("w") as Float32Array).entries())
      expect(value).toBeCloseTo(expected[at] as number, 5);
  }
});

test("gradients are clipped by the norm of all together", async () => {
  const stepOf = async (clipNorm?: number) => {
    const graph = new Graph();
    const [a, b] = [
      graph.parameter("a", [1], Float32Array.of(0)),
      graph.parameter("b", [1], Float32Array.of(0)),
    ];
    const loss = a.mul(30).add(b.mul(40)).sum();
    // Without the root of the second moment the step shows the gradient: epsilon outweighs it.
    await using step = await TrainingStep.create(graph, loss, {
      optimiser: { beta1: 0, epsilon: 1e6, ...(clipNorm === undefined ? {} : { clipNorm }) },
    });
    await step.train({}, 1e6);
    return [...step.trained().values()].map(([value]) => value as number);
  };
  const [a, b] = (await stepOf(5)) as [number, number];
  expect(a).toBeCloseTo(-3, 3);
  expect(b).toBeCloseTo(-4, 3);
  expect((await stepOf(100))[0]).toBeCloseTo(-30, 2);
});

test("running statistics of batch norm approach the data's, and serve", async () => {
  const random = new Random(2);
  const graph = new Graph({ seed: 2 });
  const out = linear("out", batchNorm("norm", graph.input("x", [256, 3])), 1);
  await using step = await TrainingStep.create(graph, out.square().mean());
  const draw = (): Batch => ({
    x: Float32Array.from({ length: 768 }, (_, at) => 5 + (at % 3) + 2 * random.normal()),
  });
  for (let at = 0; at < 80; at += 1) await step.train(draw(), 0.001);
  const trained = step.trained();
  for (const [at, mean] of (trained.get("norm/running-mean") as Float32Array).entries())
    expect(mean).toBeCloseTo(5 + at, 0);
  for (const variance of trained.get("norm/running-variance") as Float32Array)
    expect(variance).toBeGreaterThan(3.4);
  const answer = await serve(trained, (x) => linear("out", batchNorm("norm", x), 1), 3);
  expect(await answer(Float32Array.of(5, 6, 7))).toHaveLength(1);
});

test("a loss that is no number ends the training with a reason", async () => {
  await using step = await openRings(1);
  const batch = { x: new Float32Array(128).fill(Number.NaN), y: new Float32Array(128) };
  await expect(step.train(batch, 0.1)).rejects.toMatchObject({ code: "training_diverged" });
});

test("steps of several shapes train one state, as one step of all rows would", async () => {
  const network = (rows: number) => {
    const graph = new Graph({ seed: 4 });
    const loss = crossEntropy(linear("out", graph.input("x", [rows, 2]), 2), graph.input("y", [rows, 2]));
    return { graph, loss };
  };
  const [small, large] = [network(16), network(64)];
  await using first = await TrainingStep.create(small.graph, small.loss);
  await using second = await TrainingStep.create(large.graph, large.loss, { sharing: first });
  const alone = network(64);
  await using reference = await TrainingStep.create(alone.graph, alone.loss);
  const { points, classes } = rings(16, 9);
  const repeated = <Values extends Float32Array>(values: Values) =>
    Float32Array.from({ length: 4 * values.length }, (_, at) => values[at % values.length] as number);
  for (let at = 0; at < 6; at += 1) {
    // The mean over rows that are there four times is that over the rows.
    const whole = { x: repeated(points), y: repeated(classes) };
    const shared = at % 2 === 0 ? first.train({ x: points, y: classes }, 0.1) : second.train(whole, 0.1);
    expect((await shared).loss).toBeCloseTo((await reference.train(whole, 0.1)).loss, 5);
  }
  expect([first.steps, second.steps]).toEqual([6, 6]);
  const [ours, theirs] = [second.trained().get("out/weight"), reference.trained().get("out/weight")];
  for (const [at, value] of (ours as Float32Array).entries())
    expect(value).toBeCloseTo(theirs?.[at] as number, 5);
  const other = new Graph();
  const loss = meanSquaredError(linear("out", other.input("x", [4, 3]), 2), other.input("y", [4, 2]));
  await expect(TrainingStep.create(other, loss, { sharing: first })).rejects.toThrow(
    "have the same parameters",
  );
});
