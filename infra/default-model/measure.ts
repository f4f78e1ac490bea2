import { strict as assert } from "node:assert";
import { openModelRuntime } from "@medley/models";

/** The vectors of texts by the model in a folder. Throws where one text has none. */
export async function vectorsOf(directory: string, texts: readonly string[]): Promise<Float32Array[]> {
  await using runtime = openModelRuntime({ environment: {} });
  const encoder = await runtime.textEncoder(directory);
  return (await encoder.encode(texts)).map((result, index) => {
    assert(result.ok, `text ${index}: ${result.ok ? "" : result.failure.message}`);
    return result.value;
  });
}

export interface Closeness {
  readonly texts: number;
  readonly cosineMin: number;
  readonly cosineMean: number;
  /** Place of the text with the least cosine. */
  readonly worst: number;
}

/** Cosines of two lists of unit-length vectors, pair by pair. */
export function closeness(a: readonly Float32Array[], b: readonly Float32Array[]): Closeness {
  assert.equal(a.length, b.length);
  const cosines = a.map((vector, index) => cosine(vector, b[index] as Float32Array));
  const cosineMin = Math.min(...cosines);
  return {
    texts: cosines.length,
    cosineMin,
    cosineMean: cosines.reduce((sum, x) => sum + x, 0) / cosines.length,
    worst: cosines.indexOf(cosineMin),
  };
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] as number), 0);
}
