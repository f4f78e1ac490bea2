import { MedleyError } from "@medley/core";
import { openModelRuntime } from "@medley/models";
import type { TrainingOptions } from "../progress.ts";
import { RowCache, rowKey } from "./row-cache.ts";
import type { TextBackboneOptions } from "./text-backbone.ts";

export interface FrozenVectorsOptions
  extends Omit<TextBackboneOptions, "tokensMax">,
    Pick<TrainingOptions, "threads" | "signal" | "onProgress"> {
  readonly cacheDirectory?: string | undefined;
  readonly cacheBytesMax: number;
}

/** Handed to the encoder at once, between two reports. */
const textsPerCall = 256;

/**
 * The unit vectors [texts, dimensions] of a text model as it serves, by the runtime of the worker; what an earlier call computed is
 * taken from the cache. Throws as the encoder does, for the first text that it can't encode.
 */
export async function frozenVectors(
  texts: readonly string[],
  options: FrozenVectorsOptions,
): Promise<Float32Array> {
  const { model, environment, lock, threads, signal, onProgress } = options;
  await using runtime = openModelRuntime({
    environment,
    ...(threads === undefined ? {} : { threads }),
    ...(lock === undefined ? {} : { lock }),
  });
  const encoder = await runtime.textEncoder(model);
  const { dimensions } = encoder;
  await using cache = await RowCache.open({
    directory: options.cacheDirectory,
    of: [encoder.identity],
    element: "float32",
    bytesMax: options.cacheBytesMax,
  });
  const keys = texts.map((text) => rowKey(text));
  await cache.reserve(keys.map((key) => ({ key, values: dimensions })));
  const missing = texts.filter((_, at) => !cache.has(keys[at] as string));
  for (let from = 0; from < missing.length; from += textsPerCall) {
    const part = missing.slice(from, from + textsPerCall);
    for (const [at, result] of (await encoder.encode(part, signal)).entries()) {
      if (!result.ok) throw new MedleyError(result.failure.code, result.failure.message);
      await cache.put(rowKey(part[at] as string), result.value);
    }
    const done = Math.min(missing.length, from + textsPerCall);
    onProgress?.({ stage: "frozen model", done, total: missing.length, unit: "texts" });
  }
  const vectors = new Float32Array(texts.length * dimensions);
  for (const [at, key] of keys.entries()) {
    await cache.read(key, vectors.subarray(at * dimensions, (at + 1) * dimensions));
  }
  return vectors;
}
