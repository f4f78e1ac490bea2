import { strict as assert } from "node:assert";
import type { Random } from "@medley/core";
import { eigenOfGram } from "./eigen.ts";
import {
  type DenseMatrix,
  denseMatrix,
  gramOf,
  multiply,
  type SparseMatrix,
  squaredNorm,
  timesDense,
  transposedTimesDense,
} from "./matrix.ts";
import { orthonormalise } from "./orthonormalise.ts";

export interface TruncatedSvd {
  /** Largest first; 0 from the matrix's rank on. */
  readonly singularValues: Float64Array;
  /** V: [columns, rank], orthonormal; the column of a singular value of 0 is all zero. A V are the rows' coordinates. */
  readonly right: DenseMatrix;
  /** The share of the matrix's squared entries that the singular values account for, 0 to 1: A V keeps at least that. */
  readonly energy: number;
}

export interface TruncatedSvdOptions {
  readonly rank: number;
  readonly random: Random;
  /** Columns of the random subspace beside `rank`. Default 10. */
  readonly oversampling?: number;
  /** Default 4. */
  readonly powerIterations?: number;
  /** Told after each pass over the matrix. */
  readonly onPass?: (done: number, total: number) => void;
  /** Ends the power iterations early: what is found by then is less exact. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The largest singular values of a sparse matrix and their right vectors, by the randomised range finder with power
 * iterations, orthonormalised after each (Halko, Martinsson and Tropp, "Finding structure with randomness: probabilistic
 * algorithms for constructing approximate matrix decompositions", 2011, algorithms 4.4 and 5.1). The subspace is kept on the
 * matrix's shorter side. The event loop runs between passes. Signs are such that the largest entry of each vector is positive.
 */
export async function truncatedSvd(
  matrix: SparseMatrix,
  options: TruncatedSvdOptions,
): Promise<TruncatedSvd> {
  const { rank, random, oversampling = 10, powerIterations = 4, onPass, signal } = options;
  assert(Number.isInteger(rank) && rank > 0, "a rank above 0");
  const isTall = matrix.rows > matrix.columns;
  /** Between the long side and the short one, where the subspace lies. */
  const toShort = isTall ? transposedTimesDense : timesDense;
  const toLong = isTall ? timesDense : transposedTimesDense;
  const [short, long] = isTall ? [matrix.columns, matrix.rows] : [matrix.rows, matrix.columns];
  const width = Math.min(rank + oversampling, short);

  const start = denseMatrix(long, width);
  for (let i = 0; i < start.values.length; i += 1) start.values[i] = random.normal();
  let basis = orthonormalise(toShort(matrix, start));
  const total = powerIterations + 2;
  onPass?.(1, total);
  for (let iteration = 0; iteration < powerIterations && !signal?.aborted; iteration += 1) {
    basis = orthonormalise(toShort(matrix, toLong(matrix, basis)));
    onPass?.(iteration + 2, total);
    await new Promise(setImmediate);
  }
  // P is the matrix, or its transpose, seen from the subspace: PᵀP has the squares of its singular values.
  const projected = toLong(matrix, basis);
  const { values, vectors } = eigenOfGram(gramOf(projected));
  const singularValues = values.map(Math.sqrt);
  const right = isTall ? multiply(basis, vectors) : multiply(projected, vectors);
  onPass?.(total, total);
  return truncated(right, singularValues, rank, squaredNorm(matrix));
}

/** Squares of smaller shares of the largest singular value are lost in rounding. */
const roundingShare = 1e-7;

/** The first `rank` of the vectors, brought to unit length. */
function truncated(
  vectors: DenseMatrix,
  singularValues: Float64Array,
  rank: number,
  squares: number,
): TruncatedSvd {
  const kept = new Float64Array(rank);
  const right = denseMatrix(vectors.rows, rank);
  const least = (singularValues[0] ?? 0) * roundingShare;
  for (let index = 0; index < Math.min(rank, singularValues.length); index += 1) {
    const value = singularValues[index] as number;
    if (value <= least) break;
    kept[index] = value;
    const scale = scaleOf(vectors, index);
    for (let row = 0; row < vectors.rows; row += 1) {
      right.values[row * rank + index] = (vectors.values[row * vectors.columns + index] as number) * scale;
    }
  }
  const energy = squares === 0 ? 0 : squaredNorm({ values: kept }) / squares;
  return { singularValues: kept, right, energy };
}

/** What brings a column to unit length with its largest entry positive. */
function scaleOf({ rows, columns, values }: DenseMatrix, column: number): number {
  let largest = 0;
  let squares = 0;
  for (let row = 0; row < rows; row += 1) {
    const x = values[row * columns + column] as number;
    squares += x * x;
    if (Math.abs(x) > Math.abs(largest)) largest = x;
  }
  return Math.sign(largest) / Math.sqrt(squares);
}
