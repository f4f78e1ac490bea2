import type { ReferenceVectors } from "../trained-model.ts";

/** Of the values that serving is compared on. */
export const referenceValuesMax = 32;

/** The first of the values, with their vectors of `vectors` [values, dimensions]. */
export function referenceOf(values: readonly string[], vectors: Float32Array): ReferenceVectors {
  const dimensions = vectors.length / values.length;
  const first = values.slice(0, referenceValuesMax);
  return { values: first, vectors: vectors.slice(0, first.length * dimensions) };
}
