import { expect, test } from "vitest";
import { gradientErrors } from "../engine/gradients/gradient-check.fixture.ts";
import type { Value } from "../engine/index.ts";
import { probSparseAttention, sparseMixture, sparsityMeasure } from "./prob-sparse-attention.ts";
import { normals, runGraph } from "./run-graph.fixture.ts";

const [steps, each] = [12, 4];
const shape = [1, 2, steps, each];
const part = (seed: number, scale = 1) => ({
  shape,
  data: normals(2 * steps * each, seed).map((value) => scale * value),
});
const qkv = { q: part(1, 2), k: part(2, 2), v: part(3) };
type Parts = { q: Value; k: Value; v: Value };

/** softmax(q k' / √each) v of one head, with nothing later where it is causal. */
function fullAttention(head: number, step: number, causal: boolean): number[] {
  const row = (which: Float32Array, at: number) =>
    which.subarray((head * steps + at) * each, (head * steps + at + 1) * each);
  const dot = (a: Float32Array, b: Float32Array) =>
    a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
  const last = causal ? step : steps - 1;
  const scores = Array.from({ length: last + 1 }, (_, at) =>
    Math.exp(dot(row(qkv.q.data, step), row(qkv.k.data, at)) / Math.sqrt(each)),
  );
  const total = scores.reduce((sum, score) => sum + score, 0);
  return Array.from({ length: each }, (_, column) =>
    scores.reduce((sum, score, at) => sum + (score / total) * (row(qkv.v.data, at)[column] as number), 0),
  );
}

test.for([true, false])("with all queries chosen it is full attention; causal: %s", async (causal) => {
  const { out } = await runGraph(qkv, (_, values) => ({
    out: sparseMixture(values as Parts, { factor: 100, causal, sampleSeed: 1 }),
  }));
  for (const head of [0, 1]) {
    for (let step = 0; step < steps; step += 1) {
      for (const [column, value] of fullAttention(head, step, causal).entries())
        expect(out[(head * steps + step) * each + column]).toBeCloseTo(value, 4);
    }
  }
});

test("the queries of the highest measure attend, the others get the mean of the values", async () => {
  const count = 3; // Factor 1: ceil(ln 12).
  const { out, measure } = await runGraph(qkv, (_, values) => {
    const { q, k } = values as Parts;
    return {
      out: sparseMixture(values as Parts, { factor: 1, causal: false, sampleSeed: 4 }),
      measure: sparsityMeasure(q, k, { count, sampleSeed: 4 }),
    };
  });
  for (const head of [0, 1]) {
    const measures = measure.slice(head * steps, (head + 1) * steps);
    const chosen = measures
      .map((value, step) => ({ value, step }))
      .sort((a, b) => b.value - a.value)
      .slice(0, count)
      .map(({ step }) => step);
    for (let step = 0; step < steps; step += 1) {
      const mean = Array.from({ length: each }, (_, column) => {
        let sum = 0;
        for (let at = 0; at < steps; at += 1)
          sum += qkv.v.data[(head * steps + at) * each + column] as number;
        return sum / steps;
      });
      const expected = chosen.includes(step) ? fullAttention(head, step, false) : mean;
      for (const [column, value] of expected.entries())
        expect(out[(head * steps + step) * each + column]).toBeCloseTo(value, 4);
    }
  }
});

test("where it is causal the others get the sum up to their step", async () => {
  const { out } = await runGraph(qkv, (_, values) => ({
    out: sparseMixture(values as Parts, { factor: 1, causal: true, sampleSeed: 4 }),
  }));
  let sums = 0;
  for (let step = 0; step < steps; step += 1) {
    const sum = Array.from({ length: step + 1 }, (_, at) => qkv.v.data[at * each] as number).reduce(
      (a, b) => a + b,
    );
    if (Math.abs((out[step * each] as number) - sum) < 1e-4) sums += 1;
  }
  // All but the three that attend; step 0 is the same either way.
  expect(sums).toBeGreaterThanOrEqual(steps - 3);
});

test("the measure of a query that picks one key is above that of one to which all keys are alike", async () => {
  const q = { shape: [1, 1, 2, 2], data: Float32Array.of(9, 0, 0, 0) };
  const k = { shape: [1, 1, 4, 2], data: Float32Array.of(1, 0, -1, 0, 0, 1, 0, -1) };
  const { measure } = await runGraph({ q, k }, (_, values) => ({
    measure: sparsityMeasure(values.q as Value, values.k as Value, { count: 40, sampleSeed: 1 }),
  }));
  expect(measure[0]).toBeGreaterThan(measure[1] as number);
  expect(measure[1]).toBeCloseTo(0, 6);
});

test("the measure is the highest product less the sum of the sampled ones over all keys", async () => {
  const q = { shape: [1, 1, 1, 2], data: Float32Array.of(1, 1) };
  const k = { shape: [1, 1, 4, 2], data: Float32Array.of(1, 2, 1, 2, 1, 2, 1, 2) };
  const { measure } = await runGraph({ q, k }, (_, values) => ({
    measure: sparsityMeasure(values.q as Value, values.k as Value, { count: 2, sampleSeed: 1 }),
  }));
  expect(measure).toEqual([expect.closeTo(3 - (2 * 3) / 4, 5)]);
});

test("gradients of what attends are finite differences'", async () => {
  const options = { heads: 2, factor: 100, causal: true, sampleSeed: 1 };
  const errors = await gradientErrors([[1, 5, 4]], (_, x) => probSparseAttention("a", x, options));
  for (const error of errors) expect(error).toBeLessThan(1e-3);
});
