import { strict as assert } from "node:assert";
import { type DenseMatrix, denseMatrix } from "./matrix.ts";

/**
 * X of A X = B for a symmetric positive definite A, by its Cholesky factor (Golub & Van Loan, Matrix computations, 4.2). A [n, n], B [n,
 * k]; neither is changed.
 */
export function solvePositiveDefinite(a: DenseMatrix, b: DenseMatrix): DenseMatrix {
  const size = a.rows;
  assert(a.columns === size && b.rows === size, "a square matrix, and as many rows beside it");
  const lower = factorOf(a);
  const solved = denseMatrix(size, b.columns);
  solved.values.set(b.values);
  // L Y = B, then Lᵀ X = Y.
  for (let row = 0; row < size; row += 1) {
    for (let before = 0; before < row; before += 1)
      subtractRow(solved, row, lower[row * size + before] as number, before);
    divideRow(solved, row, lower[row * size + row] as number);
  }
  for (let row = size - 1; row >= 0; row -= 1) {
    for (let after = row + 1; after < size; after += 1)
      subtractRow(solved, row, lower[after * size + row] as number, after);
    divideRow(solved, row, lower[row * size + row] as number);
  }
  return solved;
}

/** L of A = L Lᵀ, row-major. */
function factorOf({ rows: size, values }: DenseMatrix): Float64Array {
  const lower = new Float64Array(size * size);
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column <= row; column += 1) {
      let sum = values[row * size + column] as number;
      for (let at = 0; at < column; at += 1)
        sum -= (lower[row * size + at] as number) * (lower[column * size + at] as number);
      if (row === column) {
        assert(sum > 0, "a positive definite matrix");
        lower[row * size + row] = Math.sqrt(sum);
      } else lower[row * size + column] = sum / (lower[column * size + column] as number);
    }
  }
  return lower;
}

function subtractRow({ columns, values }: DenseMatrix, row: number, factor: number, other: number): void {
  if (factor === 0) return;
  const [to, from] = [row * columns, other * columns];
  for (let column = 0; column < columns; column += 1)
    values[to + column] = (values[to + column] as number) - factor * (values[from + column] as number);
}

function divideRow({ columns, values }: DenseMatrix, row: number, divisor: number): void {
  for (let at = row * columns; at < (row + 1) * columns; at += 1)
    values[at] = (values[at] as number) / divisor;
}
