import type { Pooling } from "../artefact/text-model.ts";

/** Hidden states of a batch, row-major [texts, tokensPadded, dimensions], and the true length of each text. */
export interface HiddenStates {
  readonly values: Float32Array;
  readonly lengths: Int32Array;
  readonly tokensPadded: number;
  readonly dimensions: number;
}

/**
 * One unit-length vector per text, end to end. Rows whose vector is NaN, infinite or zero are named in `failed`: a
 * model gives such without any error. Padding is never read.
 */
export function pool(hidden: HiddenStates, pooling: Pooling): { vectors: Float32Array; failed: number[] } {
  const { values, lengths, tokensPadded, dimensions } = hidden;
  const vectors = new Float32Array(lengths.length * dimensions);
  const failed: number[] = [];
  const sum = new Float64Array(dimensions);
  for (let row = 0; row < lengths.length; row++) {
    sum.fill(0);
    const tokens = pooling === "cls" ? 1 : (lengths[row] as number);
    for (let token = 0; token < tokens; token++) {
      const from = (row * tokensPadded + token) * dimensions;
      for (let d = 0; d < dimensions; d++) sum[d] = (sum[d] as number) + (values[from + d] as number);
    }
    let squared = 0;
    for (let d = 0; d < dimensions; d++) squared += (sum[d] as number) ** 2;
    if (!Number.isFinite(squared) || squared === 0) failed.push(row);
    else {
      // The mean's divisor cancels out when the vector is brought to unit length.
      const scale = 1 / Math.sqrt(squared);
      for (let d = 0; d < dimensions; d++) vectors[row * dimensions + d] = (sum[d] as number) * scale;
    }
  }
  return { vectors, failed };
}
