import { expect, test } from "vitest";
import { averagePrecision, rocAuc } from "./ranking.ts";
import { referenceOf } from "./reference.fixture.ts";
import { meanAbsoluteError, meanSquaredError } from "./regression.ts";
import { spreadOf } from "./spread.ts";

test("average precision and ROC AUC are scikit-learn's, with scores that are equal", () => {
  const [given] = referenceOf<Record<string, number[]>>("ranking");
  const [positive, scores] = [given?.positive as number[], given?.scores as number[]];
  expect(new Set(scores).size).toBeLessThan(scores.length / 2);
  expect(averagePrecision(positive, scores)).toBeCloseTo(Number(given?.averagePrecision), 12);
  expect(rocAuc(positive, scores)).toBeCloseTo(Number(given?.rocAuc), 12);
});

test("scores that say nothing give the share of positives, and .5", () => {
  expect(averagePrecision([1, 0, 0, 0], [3, 3, 3, 3])).toBe(0.25);
  expect(rocAuc([1, 0, 0, 0], [3, 3, 3, 3])).toBe(0.5);
});

test("without a positive or a negative row, or with NaN, there is nothing to rank", () => {
  expect(() => averagePrecision([0, 0], [1, 2])).toThrow("a positive row");
  expect(() => rocAuc([1, 1], [1, 2])).toThrow("positive and negative");
  expect(() => rocAuc([1, 0], [1, Number.NaN])).toThrow("finite");
});

test("errors of numbers are scikit-learn's, and NaN where a value is", () => {
  const [given] = referenceOf<Record<string, number[]>>("regression");
  const [truth, predicted] = [given?.truth as number[], given?.predicted as number[]];
  expect(meanSquaredError(truth, predicted)).toBeCloseTo(Number(given?.meanSquaredError), 12);
  expect(meanAbsoluteError(truth, predicted)).toBeCloseTo(Number(given?.meanAbsoluteError), 12);
  expect(meanAbsoluteError([1, Number.NaN], [1, 1])).toBeNaN();
});

test("a figure's spread over seeds", () => {
  const spread = spreadOf([0.81, 0.82, 0.806]);
  expect(spread).toMatchObject({ count: 3, min: 0.806, max: 0.82 });
  expect(spread.mean).toBeCloseTo(0.812, 12);
  expect(spread.deviation).toBeCloseTo(0.0072111, 6);
  expect(spread.standardError).toBeCloseTo(0.0041633, 6);
  expect(spreadOf([3])).toMatchObject({ mean: 3, deviation: 0 });
});
