import { strict as assert } from "node:assert";
import { Random } from "@medley/core";

/** A map that reduces vectors: (x - mean) / deviation, times `matrix`, plus `constant` in the last dimension. */
export interface Reduction {
  /** [features]. */
  readonly means: Float32Array;
  /** [features]; 1 where a feature never changes. */
  readonly deviations: Float32Array;
  /** [features, dimensions], orthonormal columns, zero ones where the rows have fewer directions, the last one zero. */
  readonly matrix: Float32Array;
  /**
   * What every vector has in its last dimension: half the root mean square length of the rest over the rows. Vectors are compared by their
   * angle, which without it would tell nothing of their length: one near the mean would be near any other by chance.
   */
  readonly constant: number;
}

const iterations = 12;

/**
 * The first `dimensions` - 1 principal components of standardised rows, by orthogonal iteration (Golub & Van Loan, Matrix
 * computations, section 8.2.4) with a Rayleigh-Ritz step left out: only the plane they span matters to distances.
 * `rows` is [count, features].
 */
export function principalComponents(
  rows: Float32Array,
  { features, dimensions, seed }: { features: number; dimensions: number; seed: number },
): Reduction {
  const count = rows.length / features;
  assert(Number.isInteger(count) && count > 1, "rows of `features` values");
  assert(dimensions > 1, "a dimension beside the constant");
  const { means, deviations, standard } = standardise(rows, features);
  const kept = Math.min(dimensions - 1, features, count - 1);
  const random = new Random(seed);
  let basis = orthonormal(
    Float64Array.from({ length: features * kept }, () => random.normal()),
    kept,
  );
  for (let iteration = 0; iteration < iterations; iteration += 1) {
    basis = orthonormal(timesCovariance(standard, basis, { features, kept }), kept);
  }
  const matrix = new Float32Array(features * dimensions);
  for (let feature = 0; feature < features; feature += 1) {
    for (let column = 0; column < kept; column += 1)
      matrix[feature * dimensions + column] = basis[feature * kept + column] as number;
  }
  return {
    means,
    deviations,
    matrix,
    constant: rootMeanSquareLength(standard, basis, { features, kept }) / 2,
  };
}

function standardise(rows: Float32Array, features: number) {
  const count = rows.length / features;
  const [sums, squares] = [new Float64Array(features), new Float64Array(features)];
  for (const [at, value] of rows.entries()) sums[at % features] = (sums[at % features] as number) + value;
  const means = Float32Array.from(sums, (sum) => sum / count);
  const standard = rows.map((value, at) => value - (means[at % features] as number));
  for (const [at, value] of standard.entries())
    squares[at % features] = (squares[at % features] as number) + value ** 2;
  const deviations = Float32Array.from(squares, (sum) => Math.sqrt(sum / count) || 1);
  for (const [at, value] of standard.entries()) standard[at] = value / (deviations[at % features] as number);
  return { means, deviations, standard };
}

interface Sizes {
  readonly features: number;
  readonly kept: number;
}

/** Of the rows of X B: their squares add up to the trace of B' X' X B. */
function rootMeanSquareLength(standard: Float32Array, basis: Float64Array, sizes: Sizes): number {
  const product = timesCovariance(standard, basis, sizes);
  const squares = product.reduce((sum, value, at) => sum + value * (basis[at] as number), 0);
  return Math.sqrt(squares / (standard.length / sizes.features));
}

/** X' (X B) for the rows X: [features, kept] to the same. */
function timesCovariance(
  standard: Float32Array,
  basis: Float64Array,
  { features, kept }: Sizes,
): Float64Array {
  const result = new Float64Array(features * kept);
  const scores = new Float64Array(kept);
  for (let from = 0; from < standard.length; from += features) {
    scores.fill(0);
    for (let feature = 0; feature < features; feature += 1) {
      const value = standard[from + feature] as number;
      const at = feature * kept;
      for (let column = 0; column < kept; column += 1)
        scores[column] = (scores[column] as number) + value * (basis[at + column] as number);
    }
    for (let feature = 0; feature < features; feature += 1) {
      const value = standard[from + feature] as number;
      const at = feature * kept;
      for (let column = 0; column < kept; column += 1)
        result[at + column] = (result[at + column] as number) + value * (scores[column] as number);
    }
  }
  return result;
}

/** Columns of [features, kept] made orthonormal (Gram and Schmidt, twice for accuracy); one that vanishes becomes zero. */
function orthonormal(matrix: Float64Array, kept: number): Float64Array {
  const features = matrix.length / kept;
  const dot = (a: number, b: number) => {
    let sum = 0;
    for (let row = 0; row < features; row += 1)
      sum += (matrix[row * kept + a] as number) * (matrix[row * kept + b] as number);
    return sum;
  };
  for (let column = 0; column < kept; column += 1) {
    const before = Math.sqrt(dot(column, column));
    for (let other = 0; other < 2 * column; other += 1) {
      const against = other % column;
      const share = dot(column, against);
      for (let row = 0; row < features; row += 1) {
        const at = row * kept;
        matrix[at + column] = (matrix[at + column] as number) - share * (matrix[at + against] as number);
      }
    }
    const length = Math.sqrt(dot(column, column));
    const scale = length > 1e-9 * before && length > 0 ? 1 / length : 0;
    for (let row = 0; row < features; row += 1)
      matrix[row * kept + column] = (matrix[row * kept + column] as number) * scale;
  }
  return matrix;
}
