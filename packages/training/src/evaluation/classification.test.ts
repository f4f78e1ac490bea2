import { expect, test } from "vitest";
import { brierScore, expectedCalibrationError, reliabilityBins } from "./calibration.ts";
import { classReport, mostProbable } from "./classification.ts";
import { recallAtK } from "./ranking.ts";
import { referenceOf } from "./reference.fixture.ts";

interface Case {
  readonly truth: number[];
  readonly probabilities: number[];
  readonly classCount: number;
  readonly accuracy: number;
  readonly macroF1: number;
  readonly precision: number[];
  readonly recall: number[];
  readonly f1: number[];
  readonly support: number[];
  readonly confusion: number[];
  readonly brier: number;
  readonly calibrationError: number;
  readonly recallAt2: number;
}

const cases = referenceOf<Case>("classification");

test("a report is scikit-learn's, a class that is never predicted among the classes", () => {
  expect(cases.length).toBe(2);
  for (const { truth, probabilities, classCount, ...expected } of cases) {
    const report = classReport(truth, mostProbable(probabilities, { classCount }), { classCount });
    expect(report.accuracy).toBeCloseTo(expected.accuracy, 12);
    expect(report.macroF1).toBeCloseTo(expected.macroF1, 12);
    expect([...report.confusion]).toEqual(expected.confusion);
    for (const [of, { precision, recall, f1, support }] of report.classes.entries()) {
      expect(precision).toBeCloseTo(expected.precision[of] as number, 12);
      expect(recall).toBeCloseTo(expected.recall[of] as number, 12);
      expect(f1).toBeCloseTo(expected.f1[of] as number, 12);
      expect(support).toBe(expected.support[of]);
    }
    expect(report.classes.some(({ precision, support }) => precision === 0 && support > 0)).toBe(true);
  }
});

test("a class that neither occurs nor is predicted does not lower macro-F1", () => {
  expect(classReport([0, 1, 1], [0, 1, 1], { classCount: 5 }).macroF1).toBe(1);
});

test("calibration error and Brier score are those of the reference", () => {
  for (const { truth, probabilities, ...expected } of cases) {
    expect(brierScore(truth, probabilities, expected)).toBeCloseTo(expected.brier, 12);
    const error = expectedCalibrationError(truth, probabilities, expected);
    expect(error).toBeCloseTo(expected.calibrationError, 12);
  }
});

test("who says .8 and is right 8 times of 10 is calibrated; a bin holds its upper edge", () => {
  const [truth, probabilities] = [[1, 1, 1, 1, 1, 1, 1, 1, 0, 0], Array(10).fill([0.2, 0.8]).flat()];
  expect(expectedCalibrationError(truth, probabilities, { classCount: 2 })).toBeCloseTo(0, 12);
  const bins = reliabilityBins(truth, probabilities, { classCount: 2, bins: 5 });
  expect(bins.map(({ count }) => count)).toEqual([0, 0, 0, 10, 0]);
  expect(expectedCalibrationError(truth, Array(10).fill([0, 1]).flat(), { classCount: 2 })).toBeCloseTo(
    0.2,
    12,
  );
});

test("the first k of a ranking: one relevant class is top-k accuracy, several count in shares", () => {
  for (const { truth, probabilities, classCount, recallAt2 } of cases) {
    const queries = truth.map((is, row) => {
      const of = probabilities.slice(row * classCount, (row + 1) * classCount);
      const ranked = [...of.keys()].sort((a, b) => (of[b] as number) - (of[a] as number));
      return { ranked, relevant: new Set([is]) };
    });
    expect(recallAtK(queries, { k: 2 })).toBeCloseTo(recallAt2, 12);
  }
  const query = { ranked: ["a", "b", "c"], relevant: new Set(["a", "c", "d", "e"]) };
  expect(recallAtK([query], { k: 2 })).toBe(0.25);
  expect(recallAtK([query], { k: 3 })).toBe(0.5);
});

test("rows that don't fit each other are the caller's mistake", () => {
  expect(() => classReport([0], [0, 1], { classCount: 2 })).toThrow("one prediction per row");
  expect(() => classReport([], [], { classCount: 2 })).toThrow("rows to compare");
  expect(() => classReport([2], [0], { classCount: 2 })).toThrow("below classCount");
  expect(() => brierScore([0], [1], { classCount: 2 })).toThrow("a probability per row and class");
});
