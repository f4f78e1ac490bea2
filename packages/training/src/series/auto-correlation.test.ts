import { describe, expect, test } from "vitest";
import { gradientErrors } from "../engine/gradients/gradient-check.fixture.ts";
import type { Value } from "../engine/index.ts";
import { autoCorrelation, correlationsOf, delayWeights } from "./auto-correlation.ts";
import { drawn, normals, runGraph } from "./run-graph.fixture.ts";

const [batch, steps, width] = [2, 24, 3];

function sine(period: number): Float32Array {
  return Float32Array.from({ length: batch * steps * width }, (_, at) => {
    const step = Math.floor(at / width) % steps;
    return Math.sin((2 * Math.PI * step) / period + (at % width));
  });
}

/** By the definition, delay by delay. */
function directly(q: Float32Array, k: Float32Array, row: number, delay: number): number {
  let sum = 0;
  for (let step = 0; step < steps; step += 1) {
    for (let channel = 0; channel < width; channel += 1) {
      const later = (step + delay) % steps;
      sum +=
        (q[(row * steps + later) * width + channel] as number) *
        (k[(row * steps + step) * width + channel] as number);
    }
  }
  return sum / width;
}

describe("correlations", () => {
  const shape = [batch, steps, width];
  const correlate = (q: Float32Array, k: Float32Array) =>
    runGraph({ q: { shape, data: q }, k: { shape, data: k } }, (_, { q, k }) => ({
      all: correlationsOf(q as Value, k as Value),
    }));

  test("are those of the definition at every delay", async () => {
    const [q, k] = [normals(batch * steps * width, 1), normals(batch * steps * width, 2)];
    const { all } = await correlate(q, k);
    for (let row = 0; row < batch; row += 1) {
      for (let delay = 0; delay < steps; delay += 1)
        expect(all[row * steps + delay]).toBeCloseTo(directly(q, k, row, delay), 4);
    }
  });

  test.for([6, 8, 12])("of a sine of period %i are highest at its multiples", async (period) => {
    const { all } = await correlate(sine(period), sine(period));
    const first = all.slice(0, steps);
    const ranked = first.map((value, delay) => ({ value, delay })).sort((a, b) => b.value - a.value);
    const top = ranked.slice(0, steps / period).map(({ delay }) => delay);
    expect(top.sort((a, b) => a - b)).toEqual(Array.from({ length: steps / period }, (_, at) => at * period));
  });
});

test("weights are the softmax over the highest delays, of each window when served, of the batch's mean in training", async () => {
  const correlations = { shape: [2, 4], data: Float32Array.of(3, 1, 2, 0, 0, 2, 1, 3) };
  const build = (_: unknown, { correlations: c }: Readonly<Record<string, Value>>) => ({
    weights: delayWeights(c as Value, 2),
  });
  const [high, low] = [1 / (1 + Math.exp(-1)), 1 / (1 + Math.exp(1))];
  const served = await runGraph({ correlations }, build);
  for (const [at, value] of [high, 0, low, 0, 0, low, 0, high].entries())
    expect(served.weights[at]).toBeCloseTo(value, 5);
  // The means are 1.5, 1.5, 1.5, 1.5 but for what is added here to two delays.
  const trained = await runGraph(
    { correlations },
    (graph, { correlations: c }) => {
      const shifted = (c as Value).add(graph.constant(Float32Array.of(0, 1, 1, 0), [4]));
      return { weights: delayWeights(shifted, 2) };
    },
    {},
  );
  for (const row of [0, 1]) {
    expect(trained.weights[4 * row]).toBeCloseTo(0, 6);
    expect((trained.weights[4 * row + 1] as number) + (trained.weights[4 * row + 2] as number)).toBeCloseTo(
      1,
      5,
    );
  }
});

test("values are rolled to the delay that was found", async () => {
  const shape = [1, steps, width];
  const x = { shape, data: sine(24).slice(0, steps * width) };
  // Query and key maps of zeros leave every delay alike but for a bias; values and output pass through.
  const identity = Float32Array.from({ length: width * width }, (_, at) => (at % (width + 1) === 0 ? 1 : 0));
  const trained = new Map<string, Float32Array>();
  for (const part of ["query", "key", "value", "output"]) {
    trained.set(`a/${part}/weight`, identity);
    trained.set(`a/${part}/bias`, new Float32Array(width));
  }
  const ofSteps = (shift: number) =>
    Float32Array.from({ length: steps * width }, (_, at) => {
      const step = (Math.floor(at / width) + shift) % steps;
      return x.data[step * width + (at % width)] as number;
    });
  // A query that is the memory five steps later resembles it most at a delay of five.
  const query = { shape, data: ofSteps(5).map((value) => 100 * value) };
  const { out } = await runGraph(
    { query, x },
    (_, { query: q, x: memory }) => ({
      out: autoCorrelation("a", q as Value, memory as Value, { factor: 0.1 }),
    }),
    { trained },
  );
  for (const [at, value] of ofSteps(19).entries()) expect(out[at]).toBeCloseTo(value, 3);
});

test("its gradients are finite differences', with a memory that is shorter and one that is longer", async () => {
  const build = (_: unknown, a: Value, b: Value) => autoCorrelation("a", a, b, { factor: 9 });
  for (const memory of [4, 8]) {
    const errors = await gradientErrors(
      [
        [1, 6, 3],
        [1, memory, 3],
      ],
      build,
    );
    for (const error of errors) expect(error).toBeLessThan(1e-3);
  }
});

test("the drawn parameters are four linear maps", () => {
  const names = drawn((graph) => {
    const x = graph.input("x", [1, 8, 4]);
    autoCorrelation("a", x, x, { factor: 1 });
  });
  expect([...names.keys()].map((name) => name.split("/")[1])).toEqual([
    "query",
    "query",
    "key",
    "key",
    "value",
    "value",
    "output",
    "output",
  ]);
});
