import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { behindBest, bestOf } from "./compare-arms.ts";

const scoresOf = (random: Random, rows: number, rate: number) =>
  Float64Array.from({ length: rows }, () => (random.uniform() < rate ? 1 : 0));

test("one of ten equal arms is seldom taken for worse, although the best of ten was picked for its score", () => {
  const random = new Random(1);
  const [runs, rows] = [200, 200];
  let worse = 0;
  for (let seed = 1; seed <= runs; seed += 1) {
    const arms = Array.from({ length: 10 }, () => scoresOf(random, rows, 0.6));
    const [first] = behindBest(arms, { seed, resamples: 300 });
    if ((first?.low as number) > 0) worse += 1;
  }
  // 5 % are allowed; intervals for one arm alone would take one in seven for worse.
  expect(worse / runs).toBeLessThanOrEqual(0.08);
});

test("a worse arm is behind by what it is worse, the best by nothing", () => {
  const random = new Random(2);
  const arms = [scoresOf(random, 2_000, 0.5), scoresOf(random, 2_000, 0.8)];
  expect(bestOf(arms)).toBe(1);
  const [worse, best] = behindBest(arms, { seed: 1 });
  expect(worse?.low).toBeGreaterThan(0.25);
  expect(worse?.high).toBeLessThan(0.36);
  expect(best).toEqual({ difference: 0, low: 0, high: 0 });
});

test("arms that score every row alike have an interval of nothing", () => {
  const scores = scoresOf(new Random(3), 50, 0.5);
  expect(behindBest([scores, Float64Array.from(scores)], { seed: 1 })[1]).toEqual({
    difference: 0,
    low: 0,
    high: 0,
  });
});
