import { expect, test } from "vitest";
import { bootstrapDifference, pairedBootstrap } from "./bootstrap.ts";
import { classReport } from "./classification.ts";
import { referenceOf } from "./reference.fixture.ts";

const [given] = referenceOf<{ a: number[]; b: number[]; low: number; high: number }>("paired");
const { a, b, low, high } = given ?? { a: [], b: [], low: 0, high: 0 };

test("the interval is SciPy's, but for the rows drawn", () => {
  for (const seed of [1, 2, 3]) {
    const interval = pairedBootstrap(a, b, { seed });
    expect(Math.abs(interval.low - low)).toBeLessThanOrEqual(0.003);
    expect(Math.abs(interval.high - high)).toBeLessThanOrEqual(0.003);
    expect(interval.isGain).toBe(true);
  }
});

test("rows are drawn together: unpaired, the interval of the same rows would be wider", () => {
  const paired = pairedBootstrap(a, b, { seed: 1, resamples: 2_000 });
  const shifted = b.map((_, row) => b[(row + 1) % b.length] as number);
  const unpaired = pairedBootstrap(a, shifted, { seed: 1, resamples: 2_000 });
  expect(unpaired.difference).toBeCloseTo(paired.difference, 12);
  expect(unpaired.high - unpaired.low).toBeGreaterThan(1.3 * (paired.high - paired.low));
});

test("a seed decides the interval; no difference is no gain, and neither is a loss", () => {
  expect(pairedBootstrap(a, b, { seed: 5, resamples: 500 })).toEqual(
    pairedBootstrap(a, b, { seed: 5, resamples: 500 }),
  );
  expect(pairedBootstrap(a, b, { seed: 5, resamples: 500 })).not.toEqual(
    pairedBootstrap(a, b, { seed: 6, resamples: 500 }),
  );
  expect(pairedBootstrap(a, a, { seed: 1, resamples: 500 })).toEqual({
    difference: 0,
    low: 0,
    high: 0,
    isGain: false,
  });
  expect(pairedBootstrap(b, a, { seed: 1, resamples: 500 }).isGain).toBe(false);
});

test("of macro-F1: the statistic sees rows drawn with repetition", () => {
  const truth = a.map((_, row) => row % 3);
  const guess = (right: number[]) => truth.map((is, row) => (right[row] === 1 ? is : (is + 1) % 3));
  const [first, second] = [guess(a), guess(b)];
  const macroF1 = (of: number[], rows: Int32Array) =>
    classReport(
      Int32Array.from(rows, (row) => truth[row] as number),
      Int32Array.from(rows, (row) => of[row] as number),
      { classCount: 3 },
    ).macroF1;
  const interval = bootstrapDifference((rows) => macroF1(first, rows) - macroF1(second, rows), {
    ...{ rowCount: truth.length, seed: 1, resamples: 500, confidence: 0.9 },
  });
  expect(interval.low).toBeLessThan(interval.difference);
  expect(interval.high).toBeGreaterThan(interval.difference);
  expect(interval.isGain).toBe(true);
});
