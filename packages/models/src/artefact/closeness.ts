import { strict as assert } from "node:assert";

export interface Closeness {
  readonly inputs: number;
  readonly cosineMin: number;
  readonly cosineMean: number;
  /** Place of the input with the least cosine. */
  readonly worst: number;
}

/** Cosines of two lists of unit-length vectors, pair by pair. */
export function closeness(a: readonly Float32Array[], b: readonly Float32Array[]): Closeness {
  assert.equal(a.length, b.length);
  const cosines = a.map((vector, index) => cosine(vector, b[index] as Float32Array));
  const cosineMin = Math.min(...cosines);
  return {
    inputs: cosines.length,
    cosineMin,
    cosineMean: cosines.reduce((sum, x) => sum + x, 0) / cosines.length,
    worst: cosines.indexOf(cosineMin),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] as number), 0);
}
