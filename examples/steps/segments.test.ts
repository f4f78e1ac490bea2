import { expect, test } from "vitest";
import { fuseSegments } from "./segments.ts";

const table = (...rows: number[][]) => ({
  values: Float32Array.from(rows.flat()),
  dimensions: rows[0]?.length as number,
});

test("inner products of fused rows are the weighted sums of the spaces' cosines", () => {
  const tables = { plot: table([1, 0], [0.6, 0.8]), cast: table([0, 1, 0], [0, 0.8, 0.6]) };
  const { values, dimensions } = fuseSegments({ tables, rows: [{}, {}] }, { plot: 3, cast: 0.5 });
  expect(dimensions).toBe(5);
  const [a, b] = [values.subarray(0, 5), values.subarray(5)];
  const dot = a.reduce((sum, value, at) => sum + value * (b[at] as number), 0);
  expect(dot).toBeCloseTo(3 * 0.6 + 0.5 * 0.8, 6);
  expect(fuseSegments({ tables, rows: [{}, {}] }, { cast: 1 }).values).toEqual(tables.cast.values);
});
