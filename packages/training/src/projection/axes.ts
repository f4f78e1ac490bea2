import { strict as assert } from "node:assert";
import type { Random } from "@medley/core";
import { type DenseMatrix, denseMatrix, SparseRows } from "../linear-algebra/matrix.ts";
import { orthonormalise } from "../linear-algebra/orthonormalise.ts";
import { truncatedSvd } from "../linear-algebra/truncated-svd.ts";

/** Directions that vectors are brought to: x times `matrix`. */
export interface Axes {
  /** [from, to], orthonormal columns; of principal axes beyond those that the vectors fill, zero ones. The first k are the axes of k dimensions. */
  readonly matrix: DenseMatrix;
  /** Of the vectors' squared length, the share along the axes, 0 to 1. */
  readonly kept: number;
}

/** The sum of x xᵀ over vectors, [dimensions, dimensions]: all that principal axes follow from, whatever the number of vectors. */
export class SecondMoment {
  readonly #sums: DenseMatrix;
  #count = 0;

  constructor(dimensions: number) {
    this.#sums = denseMatrix(dimensions, dimensions);
  }

  get count(): number {
    return this.#count;
  }

  get dimensions(): number {
    return this.#sums.rows;
  }

  add(vector: Float32Array): void {
    const { columns, values } = this.#sums;
    assert.equal(vector.length, columns, "vectors of one encoder");
    this.#count += 1;
    for (let row = 0; row < columns; row += 1) {
      const factor = vector[row] as number;
      if (factor === 0) continue;
      const from = row * columns;
      for (let column = row; column < columns; column += 1)
        values[from + column] = (values[from + column] as number) + factor * (vector[column] as number);
    }
  }

  /** Summed above the diagonal alone; the rest is its mirror. */
  at(row: number, column: number): number {
    return this.#sums.values[Math.min(row, column) * this.dimensions + Math.max(row, column)] as number;
  }
}

/**
 * The directions along which vectors are longest: the first `to` eigenvectors of their second moment, by a randomised singular value
 * decomposition of it. Vectors are *not* centred before: inner products are to stay as they are, and the best that keep those are the axes
 * through the origin (Eckart and Young, 1936). Of 12,593 plots by all-MiniLM-L6-v2 in 256 of 384 dimensions, centred ones find .82 of the
 * ten nearest, these .97.
 */
export async function principalAxes(
  moment: SecondMoment,
  {
    to,
    random,
    signal,
  }: { readonly to: number; readonly random: Random; readonly signal?: AbortSignal | undefined },
): Promise<Axes> {
  const { dimensions } = moment;
  const rows = new SparseRows(dimensions);
  let squares = 0;
  for (let row = 0; row < dimensions; row += 1) {
    squares += moment.at(row, row);
    rows.add(Array.from({ length: dimensions }, (_, column) => [column, moment.at(row, column)] as const));
  }
  // The matrix has no negative eigenvalues, so they are its singular values.
  const { right, singularValues } = await truncatedSvd(rows.matrix(), { rank: to, random, signal });
  const along = singularValues.reduce((sum, value) => sum + value, 0);
  // Those of small eigenvalues come out of the decomposition less than orthogonal.
  return { matrix: orthonormalise(right), kept: squares === 0 ? 0 : Math.min(1, along / squares) };
}

/**
 * `to` directions drawn at random, all alike, and made orthonormal: inner products keep their expected order whatever the vectors are
 * (Johnson and Lindenstrauss, 1984). They follow from the numbers drawn alone.
 */
export function randomAxes(
  moment: SecondMoment,
  { to, random }: { readonly to: number; readonly random: Random },
): Axes {
  const from = moment.dimensions;
  const drawn = denseMatrix(from, to);
  // Axis by axis, so that more of them begin with the same ones.
  for (let axis = 0; axis < to; axis += 1) {
    for (let row = 0; row < from; row += 1) drawn.values[row * to + axis] = random.normal();
  }
  const matrix = orthonormalise(drawn);
  return { matrix, kept: shareAlong(matrix, moment) };
}

/** trace(Vᵀ M V) / trace(M). */
function shareAlong({ rows, columns, values }: DenseMatrix, moment: SecondMoment): number {
  let [along, whole] = [0, 0];
  for (let i = 0; i < rows; i += 1) {
    whole += moment.at(i, i);
    for (let j = 0; j < rows; j += 1) {
      let dot = 0;
      for (let axis = 0; axis < columns; axis += 1)
        dot += (values[i * columns + axis] as number) * (values[j * columns + axis] as number);
      along += dot * moment.at(i, j);
    }
  }
  return whole === 0 ? 0 : along / whole;
}
