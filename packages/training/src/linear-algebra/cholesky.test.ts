import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { solvePositiveDefinite } from "./cholesky.ts";
import { type DenseMatrix, denseMatrix, gramOf, multiply } from "./matrix.ts";

function normals(rows: number, columns: number, seed: number): DenseMatrix {
  const random = new Random(seed);
  const matrix = denseMatrix(rows, columns);
  for (const at of matrix.values.keys()) matrix.values[at] = random.normal();
  return matrix;
}

test.for([1, 2, 7, 40])("what is solved, times the matrix, is the right side: %i unknowns", (size) => {
  const a = gramOf(normals(2 * size + 1, size, 1));
  const b = normals(size, 3, 2);
  const given = [Float64Array.from(a.values), Float64Array.from(b.values)];
  const x = solvePositiveDefinite(a, b);
  const product = multiply(a, x);
  for (const [at, value] of product.values.entries()) expect(value).toBeCloseTo(b.values[at] as number, 8);
  expect([a.values, b.values]).toEqual(given);
});

test("a matrix that is not positive definite is the caller's mistake", () => {
  const singular = { rows: 2, columns: 2, values: Float64Array.of(1, 1, 1, 1) };
  expect(() => solvePositiveDefinite(singular, denseMatrix(2, 1))).toThrow("positive definite");
});
