import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { eigenOfGram } from "./eigen.ts";
import {
  type DenseMatrix,
  denseMatrix,
  gramOf,
  multiply,
  SparseRows,
  squaredNorm,
  transpose,
} from "./matrix.ts";
import { truncatedSvd } from "./truncated-svd.ts";

function randomDense(rows: number, columns: number, seed: number): DenseMatrix {
  const random = new Random(seed);
  return { rows, columns, values: Float64Array.from({ length: rows * columns }, () => random.normal()) };
}

function sparseOf({ rows, columns, values }: DenseMatrix) {
  const sparse = new SparseRows(columns);
  for (let row = 0; row < rows; row += 1) {
    sparse.add([...values.subarray(row * columns, (row + 1) * columns)].map((x, column) => [column, x]));
  }
  return sparse.matrix();
}

/** The squared error of a matrix seen from the subspace of `right`: A - A V Vᵀ. */
function lost(matrix: DenseMatrix, right: DenseMatrix): number {
  const kept = multiply(multiply(matrix, right), transpose(right));
  return squaredNorm({ values: matrix.values.map((x, i) => x - (kept.values[i] as number)) });
}

function squaresFrom(values: Float64Array, rank: number): number {
  return values.slice(rank).reduce((sum, value) => sum + value, 0);
}

test.for([
  [40, 25],
  [25, 40],
  [30, 30],
] as const)("[%i, %i]: loses no more than the exact decomposition does", async ([rows, columns]) => {
  const matrix = randomDense(rows, columns, 3);
  const exact = eigenOfGram(gramOf(matrix)).values;
  for (const rank of [1, 5, 15]) {
    const svd = await truncatedSvd(sparseOf(matrix), { rank, random: new Random(1) });
    const least = squaresFrom(exact, rank);
    // A matrix of noise is the hardest case: its singular values hardly fall.
    expect(lost(matrix, svd.right)).toBeLessThan(least * 1.003);
    expect(svd.energy).toBeCloseTo(1 - lost(matrix, svd.right) / squaredNorm(matrix), 3);
    for (const [index, value] of svd.singularValues.entries()) {
      expect(value / Math.sqrt(exact[index] as number)).toBeCloseTo(1, 2);
    }
    const gram = gramOf(svd.right);
    for (let i = 0; i < rank; i += 1) {
      for (let j = 0; j < rank; j += 1) expect(gram.values[i * rank + j]).toBeCloseTo(i === j ? 1 : 0, 9);
    }
  }
});

test("a matrix of rank 3 is found whole, and what is asked beyond its rank is zero", async () => {
  const matrix = multiply(randomDense(50, 3, 1), randomDense(3, 20, 2));
  const svd = await truncatedSvd(sparseOf(matrix), { rank: 6, random: new Random(4) });
  expect(lost(matrix, svd.right) / squaredNorm(matrix)).toBeLessThan(1e-10);
  expect([...svd.singularValues.slice(3)]).toEqual([0, 0, 0]);
  for (let row = 0; row < 20; row += 1) {
    expect([...svd.right.values.slice(row * 6 + 3, row * 6 + 6)]).toEqual([0, 0, 0]);
  }
  expect(svd.energy).toBeCloseTo(1, 6);
});

test("a rank above the matrix's size is filled with zeros", async () => {
  const svd = await truncatedSvd(sparseOf(randomDense(2, 3, 1)), { rank: 8, random: new Random(4) });
  expect(svd.right.columns).toBe(8);
  expect([...svd.singularValues].filter((value) => value > 0)).toHaveLength(2);
});

test("the same seed gives the same bits, another one the same subspace", async () => {
  const matrix = multiply(randomDense(30, 4, 1), randomDense(4, 20, 2));
  const of = (seed: number) => truncatedSvd(sparseOf(matrix), { rank: 4, random: new Random(seed) });
  const [first, again, other] = [await of(1), await of(1), await of(2)];
  expect(again.right.values).toEqual(first.right.values);
  first.right.values.forEach((x, i) => {
    expect(other.right.values[i]).toBeCloseTo(x, 6);
  });
});

test("an empty matrix has no directions", async () => {
  const svd = await truncatedSvd(sparseOf(denseMatrix(3, 4)), { rank: 2, random: new Random(1) });
  expect([...svd.right.values]).toEqual(new Array(8).fill(0));
  expect(svd.energy).toBe(0);
});

test("an abort ends the iterations, and gives what was found by then", async () => {
  const passes: number[] = [];
  const options = { rank: 2, random: new Random(1), signal: AbortSignal.abort() };
  const svd = await truncatedSvd(sparseOf(randomDense(9, 9, 1)), {
    ...options,
    onPass: (done) => passes.push(done),
  });
  expect(passes).toEqual([1, 6]);
  expect(svd.singularValues[0]).toBeGreaterThan(0);
});
