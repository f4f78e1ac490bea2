import type { PoolingMode } from "../artefact/text-modules.ts";

/** Hidden states of a batch, row-major [texts, tokensPadded, hiddenSize], and the true length of each text. */
export interface HiddenStates {
  readonly values: Float32Array;
  readonly lengths: Int32Array;
  readonly tokensPadded: number;
  readonly hiddenSize: number;
  /** First tokens of each text that do not count: a prompt's. */
  readonly skipped?: Int32Array;
}

/**
 * The vector of each text, row-major [texts, modes x hiddenSize], as sentence-transformers' Pooling defines them.
 * Padding is never read. A text whose tokens are all left out gives zeros.
 */
export function pool(hidden: HiddenStates, modes: readonly PoolingMode[]): Float64Array {
  const { lengths, tokensPadded, hiddenSize, skipped } = hidden;
  const pooled = new Float64Array(lengths.length * modes.length * hiddenSize);
  for (let row = 0; row < lengths.length; row++) {
    const start = row * tokensPadded;
    const from = start + (skipped?.[row] ?? 0);
    const to = start + (lengths[row] as number);
    modes.forEach((mode, index) => {
      const at = (row * modes.length + index) * hiddenSize;
      if (from < to) poolTokens(hidden, mode, from, to, pooled.subarray(at, at + hiddenSize));
    });
  }
  return pooled;
}

/** Tokens `from` to `to` - 1 of the batch, into `out`. */
function poolTokens(
  { values, hiddenSize }: HiddenStates,
  mode: PoolingMode,
  from: number,
  to: number,
  out: Float64Array,
): void {
  if (mode === "cls" || mode === "lasttoken") {
    const token = mode === "cls" ? from : to - 1;
    out.set(values.subarray(token * hiddenSize, (token + 1) * hiddenSize));
    return;
  }
  if (mode === "max") {
    out.fill(Number.NEGATIVE_INFINITY);
    for (let token = from; token < to; token++) {
      const at = token * hiddenSize;
      for (let d = 0; d < hiddenSize; d++) out[d] = Math.max(out[d] as number, values[at + d] as number);
    }
    return;
  }
  for (let token = from; token < to; token++) {
    const at = token * hiddenSize;
    for (let d = 0; d < hiddenSize; d++) out[d] = (out[d] as number) + (values[at + d] as number);
  }
  const divisor = mode === "mean" ? to - from : Math.sqrt(to - from);
  for (let d = 0; d < hiddenSize; d++) out[d] = (out[d] as number) / divisor;
}

/**
 * Vectors of `dimensions` brought to unit length. Rows that are NaN, infinite or zero are named in `failed`: a model
 * gives such without any error.
 */
export function unitVectors(
  pooled: Float64Array | Float32Array,
  dimensions: number,
): { vectors: Float32Array; failed: number[] } {
  const vectors = new Float32Array(pooled.length);
  const failed: number[] = [];
  for (let from = 0; from < pooled.length; from += dimensions) {
    let squared = 0;
    for (let d = from; d < from + dimensions; d++) squared += (pooled[d] as number) ** 2;
    if (!Number.isFinite(squared) || squared === 0) {
      failed.push(from / dimensions);
      continue;
    }
    const scale = 1 / Math.sqrt(squared);
    for (let d = from; d < from + dimensions; d++) vectors[d] = (pooled[d] as number) * scale;
  }
  return { vectors, failed };
}
