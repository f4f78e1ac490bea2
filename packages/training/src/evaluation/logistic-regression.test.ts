import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { fitLogisticRegression } from "./logistic-regression.ts";

const columns = 4;
const classCount = 3;

/** Rows around one centre per class, which overlap. */
function overlapping(rowCount: number, seed: number) {
  const random = new Random(seed);
  const centres = Array.from({ length: classCount * columns }, () => random.normal());
  const labels = Array.from({ length: rowCount }, () => random.below(classCount));
  const values = Float64Array.from(
    labels.flatMap((label) =>
      Array.from(
        { length: columns },
        (_, i) => (centres[label * columns + i] as number) + 1.5 * random.normal(),
      ),
    ),
  );
  return { rows: { columns, values }, labels };
}

const rowOf = (values: Float64Array, row: number) => values.subarray(row * columns, (row + 1) * columns);

// `LogisticRegression(C=2, tol=1e-10, max_iter=10000)` of scikit-learn 1.9.1 on [[0], [1], [2], [3], [4], [5]].
test("gives the probabilities that scikit-learn gives", () => {
  const values = Float64Array.of(0, 1, 2, 3, 4, 5);
  const labels = [0, 1, 0, 1, 2, 2];
  const model = fitLogisticRegression({ columns: 1, values }, labels, { classCount: 3, l2: 1 / (2 * 6) });
  const expected = [
    [0.700937, 0.29687, 0.002193],
    [0.574031, 0.412441, 0.013527],
    [0.417297, 0.508641, 0.074062],
    [0.227042, 0.469474, 0.303483],
    [0.068611, 0.240677, 0.690712],
    [0.012082, 0.071896, 0.916022],
  ];
  for (const [row, probabilities] of expected.entries()) {
    const own = model.probabilities([row]);
    for (const [label, probability] of probabilities.entries()) {
      expect(own[label]).toBeCloseTo(probability, 4);
    }
  }
});

test("at the minimum, each class is as probable in sum as it is frequent", () => {
  const { rows, labels } = overlapping(200, 5);
  const model = fitLogisticRegression(rows, labels, { classCount, l2: 0.01 });
  const sums = new Float64Array(classCount);
  for (const row of labels.keys()) {
    model.probabilities(rowOf(rows.values, row)).forEach((p, label) => {
      sums[label] = (sums[label] as number) + p;
    });
  }
  for (let label = 0; label < classCount; label += 1) {
    expect(sums[label]).toBeCloseTo(labels.filter((one) => one === label).length, 2);
  }
});

test("a class that weighs more is predicted more", () => {
  const { rows, labels } = overlapping(300, 7);
  const predictedWith = (classWeights: number[]) => {
    const model = fitLogisticRegression(rows, labels, { classCount, l2: 0.01, classWeights });
    return labels.filter((_, row) => model.predict(rowOf(rows.values, row)) === 0).length;
  };
  expect(predictedWith([4, 1, 1])).toBeGreaterThan(predictedWith([1, 1, 1]) + 20);
});

test("separable rows are learned, and the penalty keeps the weights finite", () => {
  const values = Float64Array.of(-2, -1, 1, 2);
  const model = fitLogisticRegression({ columns: 1, values }, [0, 0, 1, 1], { classCount: 2, l2: 0.001 });
  expect([-3, -0.5, 0.5, 3].map((x) => model.predict([x]))).toEqual([0, 0, 1, 1]);
  expect(model.probabilities([100]).every(Number.isFinite)).toBe(true);
});

test("a label that is no class is the caller's mistake", () => {
  const rows = { columns: 1, values: Float64Array.of(1, 2) };
  expect(() => fitLogisticRegression(rows, [0, 2], { classCount: 2, l2: 1 })).toThrow("labels from 0 on");
});
