import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import { type Closeness, closeness } from "./artefact/closeness.ts";
import { ModelFiles } from "./artefact/files.ts";
import { type Environment, type LocateOptions, locateModel } from "./artefact/locate.ts";
import type { ModelLock } from "./artefact/lock.ts";
import { pinModel } from "./artefact/onnx-file.ts";
import { openTextEncoder } from "./open-text-encoder.ts";

export interface Verified {
  /** Against the model's `reference.json`; `null` where it has none. */
  readonly reference: (Closeness & { readonly cosineMinGoal: number }) | null;
}

/** What rounding may cost: of float32 between machines, and of weights that are stored as int8. */
const cosineMinGoals = { float32: 0.999, int8: 0.998 } as const;
const referenceBytesMax = 64 * 2 ** 20;

/**
 * Hashes all files of a model that the lock or its manifest lists, looks at its graph, and encodes the texts of its
 * `reference.json` where there is one: `{ "vectors": [{ "text", "vector": base64 of little-endian float32 }] }`. Throws
 * `model_damaged` for another byte or a vector that is too far away, and what opening a model throws.
 */
export async function verifyModel(
  name: string,
  environment: Environment,
  options: LocateOptions & { readonly lock: ModelLock },
): Promise<Verified> {
  const located = await locateModel(name, environment, options);
  const files = await ModelFiles.open(located);
  const { graph } = await pinModel(files, located.modelFile);
  const reference = await readReference(files);
  if (reference.length === 0) return { reference: null };
  await using encoder = await openTextEncoder({ model: name, threads: 1, environment, lock: options.lock });
  const results = await encoder.encode(reference.map(({ text }) => text));
  const vectors = results.map((result) => {
    if (result.ok) return result.value;
    throw new MedleyError(result.failure.code, result.failure.message);
  });
  const cosineMinGoal = graph.storesIntegers ? cosineMinGoals.int8 : cosineMinGoals.float32;
  const measured = {
    ...closeness(
      vectors,
      reference.map(({ vector }) => vector),
    ),
    cosineMinGoal,
  };
  if (measured.cosineMin >= cosineMinGoal) return { reference: measured };
  throw new MedleyError(
    "model_damaged",
    `${name}: vectors are not those of its reference.json: cosine min ${measured.cosineMin.toFixed(6)}, ` +
      `mean ${measured.cosineMean.toFixed(6)} over ${measured.inputs} texts; at least ${cosineMinGoal} was expected`,
    {
      mend: "fetch the model again; its configuration (pooling, prompts, limits) must be the one it was made with",
    },
  );
}

async function readReference(files: ModelFiles): Promise<{ text: string; vector: Float32Array }[]> {
  const path = join(files.directory, "reference.json");
  // It decides no vector, so a manifest need not list it; where it is listed, it is checked.
  const bytes = files.isListed("reference.json")
    ? (await files.read("reference.json", referenceBytesMax))?.bytes
    : await readFile(path).catch(() => undefined);
  if (bytes === undefined) return [];
  try {
    const { vectors } = JSON.parse(new TextDecoder().decode(bytes));
    return vectors.map(({ text, vector }: { text: string; vector: string }) => ({
      text,
      vector: floatsOf(vector),
    }));
  } catch (cause) {
    throw new MedleyError("model_damaged", `${path} has no "vectors" of texts`, {
      mend: "fetch the model again",
      cause,
    });
  }
}

function floatsOf(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
}
