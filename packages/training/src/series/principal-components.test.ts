import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { principalComponents } from "./principal-components.ts";

test("finds the directions in which standardised rows differ most, and keeps to their number", () => {
  const random = new Random(1);
  const [features, count] = [6, 400];
  // Features 0 to 3 are one thing, 4 and 5 another, each with a little noise and a mean and scale of its own.
  const rows = new Float32Array(count * features);
  for (let row = 0; row < count; row += 1) {
    const [first, second] = [random.normal(), random.normal()];
    for (let feature = 0; feature < features; feature += 1)
      rows[row * features + feature] =
        10 * feature + (feature + 1) * ((feature < 4 ? first : second) + 0.05 * random.normal());
  }
  const dimensions = 4;
  const { means, deviations, matrix, constant } = principalComponents(rows, {
    features,
    dimensions,
    seed: 2,
  });
  for (let feature = 0; feature < features; feature += 1) {
    expect(Math.abs((means[feature] as number) - 10 * feature)).toBeLessThan(1);
    expect((deviations[feature] as number) / (feature + 1)).toBeCloseTo(1, 0);
  }
  const column = (at: number) =>
    Array.from({ length: features }, (_, feature) => matrix[feature * dimensions + at] as number);
  for (const value of column(0).slice(0, 4)) expect(Math.abs(value)).toBeCloseTo(0.5, 1);
  for (const value of column(1).slice(4)) expect(Math.abs(value)).toBeCloseTo(Math.SQRT1_2, 1);
  const dot = (a: number, b: number) =>
    column(a).reduce((sum, value, at) => sum + value * (column(b)[at] as number), 0);
  for (const at of [0, 1, 2]) expect(dot(at, at)).toBeCloseTo(1, 5);
  expect(dot(0, 1)).toBeCloseTo(0, 5);
  expect(column(3)).toEqual(column(3).map(() => 0));
  // All of the standardised rows but a little noise: as many squares as features.
  expect(constant).toBeCloseTo(Math.sqrt(features) / 2, 1);
});

test("rows with fewer directions than asked for get zeros, a feature that never changes counts for nothing", () => {
  const rows = Float32Array.from({ length: 50 * 3 }, (_, at) =>
    at % 3 === 2 ? 4 : Math.floor(at / 3) * (1 + (at % 3)),
  );
  const { deviations, matrix, constant } = principalComponents(rows, { features: 3, dimensions: 5, seed: 1 });
  expect(deviations[2]).toBe(1);
  expect(constant).toBeCloseTo(Math.SQRT1_2, 5);
  expect(matrix.every(Number.isFinite)).toBe(true);
  for (let feature = 0; feature < 3; feature += 1)
    expect([...matrix.slice(feature * 5 + 3, feature * 5 + 5)]).toEqual([0, 0]);
});
