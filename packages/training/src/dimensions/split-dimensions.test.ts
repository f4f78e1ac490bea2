import { normalize, Random } from "@medley/core";
import { expect, test } from "vitest";
import { type BudgetSpace, fitAxes } from "./space-ladder.ts";
import { type DimensionSplit, type SplitDimensionsOptions, splitDimensions } from "./split-dimensions.ts";

const rowCount = 400;

/** Rows of `rank` free numbers, spread over all dimensions by a random map. */
function spaceOf(
  space: string,
  dimensions: number,
  rank: number,
  more: Partial<BudgetSpace> = {},
): BudgetSpace {
  const random = new Random(dimensions * 100 + rank);
  const map = Float64Array.from({ length: rank * dimensions }, () => random.normal());
  const values = new Float32Array(rowCount * dimensions);
  for (let row = 0; row < rowCount; row += 1) {
    const free = Array.from({ length: rank }, () => random.normal());
    const vector = Float32Array.from({ length: dimensions }, (_, d) =>
      free.reduce((sum, x, at) => sum + x * (map[at * dimensions + d] as number), 0),
    );
    values.set(normalize(vector), row * dimensions);
  }
  return { space, table: { values, dimensions }, isReducible: true, cuts: [], ...more };
}

const rows = new Random(7).shuffle(Int32Array.from({ length: rowCount }, (_, row) => row));
const split = { train: rows.slice(0, 200), validation: rows.slice(200, 300), test: rows.slice(300) };

async function shared(
  spaces: readonly BudgetSpace[],
  budget: number,
  more: Partial<SplitDimensionsOptions> = {},
): Promise<DimensionSplit> {
  const { signal } = new AbortController();
  const result = await splitDimensions(spaces, { budget, split, queriesMax: 40, seed: 1, signal, ...more });
  if ("problem" in result) throw new Error(result.problem);
  return result;
}

const wide = spaceOf("wide", 64, 10);
const full = spaceOf("full", 16, 16);
const fixed = spaceOf("fixed", 20, 20, { isReducible: false });

test("dimensions are taken where they say nothing, and nothing is lost", async () => {
  const result = await shared([wide, full, fixed], 50);
  expect(result).toMatchObject({
    budget: 50,
    from: 100,
    to: 50,
    spaces: [
      { space: "wide", from: 64, to: 14, by: "pca" },
      { space: "full", from: 16, to: 16, by: null },
      { space: "fixed", from: 20, to: 20, by: null },
    ],
  });
  expect(result.loss.validation).toBeLessThan(0.005);
  expect(result.loss.test.mean).toBeLessThan(0.005);
  expect(result.weightings.map(({ name }) => name)).toEqual([
    "all alike",
    "wide 5 times",
    "full 5 times",
    "fixed 5 times",
    "wide alone",
    "full alone",
    "fixed alone",
  ]);
});

test("each step says what it costs, the last takes no more than it has to, and a small budget costs recall", async () => {
  const result = await shared([wide, full, fixed], 40);
  expect(result.to).toBe(40);
  expect(result.spaces.reduce((sum, { to }) => sum + to, 0)).toBe(40);
  let [dimensions, recall] = [100, 1];
  for (const step of result.steps) {
    dimensions -= step.from - step.to;
    expect(step.dimensions).toBe(dimensions);
    expect(step.lossPerDimension).toBeCloseTo((recall - step.recall) / (step.from - step.to), 9);
    recall = step.recall;
  }
  expect(1 - recall).toBeCloseTo(result.loss.validation, 9);
  const { mean, low, high } = result.loss.test;
  expect(mean).toBeGreaterThan(0.02);
  expect(low).toBeLessThan(mean);
  expect(high).toBeGreaterThan(mean);
});

test("a model that was trained to be cut is cut where that finds most", async () => {
  // The records that axes are fitted to are none like those that are searched for.
  const random = new Random(3);
  const fitted = new Set(split.train);
  const values = new Float32Array(rowCount * 32);
  for (let row = 0; row < rowCount; row += 1) {
    const vector = Float32Array.from({ length: 32 }, (_, d) =>
      d < 12 !== fitted.has(row) ? random.normal() : 0,
    );
    values.set(normalize(vector), row * 32);
  }
  const whole = { ...wide, space: "whole", table: { values, dimensions: 32 } };
  const cut = await shared([{ ...whole, cuts: "any" }], 14);
  expect(cut.spaces).toEqual([{ space: "whole", from: 32, to: 14, by: "cut" }]);
  expect(cut.loss.test.mean).toBe(0);
  const uncut = await shared([whole], 14);
  expect(uncut.spaces[0]?.by).not.toBe("cut");
  expect(uncut.loss.test.mean).toBeGreaterThan(0.1);
});

test("the same seed gives the same split; what can't be is said", async () => {
  const once = await shared([wide, full], 40);
  expect(await shared([wide, full], 40)).toEqual(once);
  const { signal } = new AbortController();
  const options = { split, queriesMax: 40, seed: 1, signal };
  expect(await splitDimensions([wide, full], { ...options, budget: 80 })).toEqual({
    problem: "needless",
    dimensions: 80,
  });
  expect(await splitDimensions([wide, full, fixed], { ...options, budget: 30 })).toEqual({
    problem: "too small",
    dimensions: 36,
  });
  await expect(shared([wide, full], 40, { signal: AbortSignal.abort() })).rejects.toThrow();
});

test("where all dimensions choose of more candidates, fewer dimensions lose less", async () => {
  const [alone, chosen] = [
    await shared([full, fixed], 30),
    await shared([full, fixed], 30, { candidates: 40 }),
  ];
  expect(alone.loss.test.mean).toBeGreaterThan(0.05);
  expect(chosen.loss.test.mean).toBeLessThan(alone.loss.test.mean / 3);
});

test("axes are orthonormal, fitted to the rows that are named", async () => {
  const { signal } = new AbortController();
  for (const by of ["pca", "random"] as const) {
    const axes = await fitAxes(wide.table, { to: 12, by }, { rows: split.train, seed: 1, signal });
    expect([axes.rows, axes.columns]).toEqual([64, 12]);
    for (let a = 0; a < 10; a += 1) {
      for (let b = 0; b <= a; b += 1) {
        let dot = 0;
        for (let row = 0; row < 64; row += 1)
          dot += (axes.values[row * 12 + a] as number) * (axes.values[row * 12 + b] as number);
        expect(dot).toBeCloseTo(a === b ? 1 : 0, 6);
      }
    }
  }
});
