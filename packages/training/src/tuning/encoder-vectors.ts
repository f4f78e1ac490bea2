import { type EncodeFailure, type Encoder, MedleyError } from "@medley/core";
import type { TrainingOptions } from "../progress.ts";
import { RowCache, rowKey } from "./row-cache.ts";

export interface EncoderVectorsOptions extends Pick<TrainingOptions, "signal" | "onProgress"> {
  /** Default: none that outlives the call. Of pictures and clips it knows the name: a file that changed under it is not seen. */
  readonly cacheDirectory?: string | undefined;
  readonly cacheBytesMax: number;
}

export interface EncodedValues {
  /** Unit vectors [values, dimensions]; all zero of a value that failed. */
  readonly vectors: Float32Array;
  /** By the value's place. */
  readonly failures: ReadonlyMap<number, EncodeFailure>;
}

/** Handed to the encoder at once, between two reports. */
const valuesPerCall = 256;

/**
 * The vectors of a pre-trained model as it serves; what an earlier call computed is taken from the cache, which is of the
 * encoder's identity.
 */
export async function encodedValues(
  encoder: Encoder<string, unknown>,
  values: readonly string[],
  { cacheDirectory, cacheBytesMax, signal, onProgress }: EncoderVectorsOptions,
): Promise<EncodedValues> {
  const { dimensions } = encoder;
  const of = [encoder.identity];
  await using cache = await RowCache.open({
    directory: cacheDirectory,
    of,
    element: "float32",
    bytesMax: cacheBytesMax,
  });
  const keys = values.map((value) => rowKey(value));
  await cache.reserve(keys.map((key) => ({ key, values: dimensions })));
  const missing = values.filter((_, at) => !cache.has(keys[at] as string));
  const failed = new Map<string, EncodeFailure>();
  for (let from = 0; from < missing.length; from += valuesPerCall) {
    const part = missing.slice(from, from + valuesPerCall);
    for (const [at, result] of (await encoder.encode(part, signal)).entries()) {
      const key = rowKey(part[at] as string);
      if (result.ok) await cache.put(key, result.value);
      else failed.set(key, result.failure);
    }
    const done = Math.min(missing.length, from + valuesPerCall);
    onProgress?.({ stage: "frozen model", done, total: missing.length, unit: "values" });
  }
  const vectors = new Float32Array(values.length * dimensions);
  const failures = new Map<number, EncodeFailure>();
  for (const [at, key] of keys.entries()) {
    const failure = failed.get(key);
    if (failure !== undefined) failures.set(at, failure);
    else await cache.read(key, vectors.subarray(at * dimensions, (at + 1) * dimensions));
  }
  return { vectors, failures };
}

/** Likewise [values, dimensions]. Throws what the encoder fails with, for the first value that it can't encode. */
export async function encoderVectors(
  encoder: Encoder<string, unknown>,
  values: readonly string[],
  options: EncoderVectorsOptions,
): Promise<Float32Array> {
  const { vectors, failures } = await encodedValues(encoder, values, options);
  const [failure] = failures.values();
  if (failure === undefined) return vectors;
  throw new MedleyError(failure.code, failure.message);
}
