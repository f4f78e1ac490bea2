import { strict as assert } from "node:assert";
import { type DenseMatrix, denseMatrix } from "./matrix.ts";

export interface Eigen {
  /** Largest first. */
  readonly values: Float64Array;
  /** [size, size], orthonormal: column k belongs to `values[k]`. */
  readonly vectors: DenseMatrix;
}

const sweepsMax = 60;
/** Two rows count as orthogonal when their cosine is below this. */
const cosineMax = 1e-14;

/**
 * Eigenvalues and eigenvectors of a small symmetric matrix without negative eigenvalues, such as XᵀX, by one-sided Jacobi
 * rotations (Hestenes, "Inversion of matrices by biorthogonalization and related results", 1958): pairs of its columns are
 * rotated until all are orthogonal, then their lengths are the eigenvalues. Time grows with the cube of the size.
 */
export function eigenOfGram(matrix: DenseMatrix): Eigen {
  const { rows: size } = matrix;
  assert.equal(matrix.columns, size, "a square matrix");
  // Row i of `work` is column i of G V, row i of `turn` is column i of V. G is symmetric: its rows are its columns.
  const work = Float64Array.from(matrix.values);
  const turn = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) turn[i * size + i] = 1;
  let rotated = true;
  for (let sweep = 0; rotated; sweep += 1) {
    assert(sweep < sweepsMax, "the rotations converge for every finite matrix");
    rotated = false;
    for (let first = 0; first < size - 1; first += 1) {
      for (let second = first + 1; second < size; second += 1) {
        if (orthogonalise(work, turn, size, first, second)) rotated = true;
      }
    }
  }
  return sorted(work, turn, size);
}

/** Rotates a pair of rows so that their product is 0. False where it was already. */
function orthogonalise(
  work: Float64Array,
  turn: Float64Array,
  size: number,
  first: number,
  second: number,
): boolean {
  const [p, q] = [first * size, second * size];
  let [pp, qq, pq] = [0, 0, 0];
  for (let i = 0; i < size; i += 1) {
    const x = work[p + i] as number;
    const y = work[q + i] as number;
    pp += x * x;
    qq += y * y;
    pq += x * y;
  }
  // A product below the smallest number is 0: such a row is as good as 0 beside any other.
  if (pq === 0 || Math.abs(pq) <= cosineMax * Math.sqrt(pp) * Math.sqrt(qq)) return false;
  const zeta = (qq - pp) / (2 * pq);
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  rotate(work, p, q, size, cosine, cosine * tangent);
  rotate(turn, p, q, size, cosine, cosine * tangent);
  return true;
}

function rotate(values: Float64Array, p: number, q: number, size: number, cosine: number, sine: number) {
  for (let i = 0; i < size; i += 1) {
    const x = values[p + i] as number;
    const y = values[q + i] as number;
    values[p + i] = cosine * x - sine * y;
    values[q + i] = sine * x + cosine * y;
  }
}

function sorted(work: Float64Array, turn: Float64Array, size: number): Eigen {
  const lengths = Float64Array.from({ length: size }, (_, i) =>
    Math.hypot(...work.subarray(i * size, (i + 1) * size)),
  );
  const order = [...lengths.keys()].sort((a, b) => (lengths[b] as number) - (lengths[a] as number));
  const vectors = denseMatrix(size, size);
  for (const [rank, from] of order.entries()) {
    for (let i = 0; i < size; i += 1) vectors.values[i * size + rank] = turn[from * size + i] as number;
  }
  return { values: Float64Array.from(order, (from) => lengths[from] as number), vectors };
}
