import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, posix, resolve } from "node:path";
import { MedleyError } from "@medley/core";
import { filesBelow } from "./artefact/cached-models.ts";
import { type Closeness, closeness } from "./artefact/closeness.ts";
import { ModelFiles } from "./artefact/files.ts";
import { type Environment, type LocatedModel, type LocateOptions, locateModel } from "./artefact/locate.ts";
import type { ModelLock } from "./artefact/lock.ts";
import { loadModelBytes, pinModel } from "./artefact/onnx-file.ts";
import { pathInside } from "./artefact/plain-path.ts";
import { sampleTexts } from "./artefact/sample-texts.ts";
import { inlineExternalData, type QuantisedTensor, quantiseWeights } from "./onnx/index.ts";
import { openTextEncoder } from "./open-text-encoder.ts";

export interface QuantisedModel {
  readonly directory: string;
  /** Of the ONNX file with its external data. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly tensors: readonly QuantisedTensor[];
  /** Of texts by both models; `null` where it is no text model. */
  readonly vectors: Closeness | null;
  /** Of the weights themselves. */
  readonly weights: { readonly cosineMin: number; readonly cosineMean: number };
}

/**
 * Writes a model's folder again with its large weights as int8 (`quantiseWeights`), and a `manifest.json` of all its
 * files. Other files are copied, but for other ONNX files and their data. `out` must not be there, or be empty; it appears
 * when all is written. Throws `usage`, `model_unsupported` where no weights are large enough, and what opening throws.
 */
export async function quantiseModel(
  name: string,
  out: string,
  environment: Environment,
  options: LocateOptions & { readonly lock: ModelLock },
): Promise<QuantisedModel> {
  const directory = resolve(out);
  if ((await readdir(directory).catch(() => [])).length > 0 || (await isFile(directory))) {
    throw new MedleyError("usage", `${directory} is there already`, {
      mend: "give a folder that is not there yet",
    });
  }
  const located = await locateModel(name, environment, options);
  const files = await ModelFiles.open(located);
  const pinned = await pinModel(files, located.modelFile);
  const { bytes, externalData } = loadModelBytes(pinned);
  const whole = inlineExternalData(bytes, new Map(externalData.map(({ path, data }) => [path, data])));
  const { bytes: quantised, tensors } = quantiseWeights(whole);
  if (tensors.length === 0) {
    throw new MedleyError(
      "model_unsupported",
      `${pinned.path} has no large float32 weights to store as int8`,
      {
        mend: "give the float32 model (NAME, or NAME#fp32)",
      },
    );
  }
  const staging = `${directory}.${process.pid}.tmp`;
  try {
    const folder = posix.dirname(located.modelFile);
    const external = pinned.externalData.map(({ location }) => posix.join(folder, location));
    await copyOthers(located, files, staging, [located.modelFile, ...external]);
    const modelFile = join(staging, folder, "model.onnx");
    await mkdir(dirname(modelFile), { recursive: true });
    await writeFile(modelFile, quantised);
    const vectors = await compare(name, staging, environment, options.lock);
    const cosines = tensors.map(({ cosine }) => cosine);
    const weights = {
      cosineMin: Math.min(...cosines),
      cosineMean: cosines.reduce((sum, one) => sum + one, 0) / cosines.length,
    };
    const source = { model: name, sha256: pinned.contents };
    const cosineToSource = { ...(vectors === null ? {} : { vectors }), weights };
    await writeManifest(staging, { source, cosineToSource });
    await rm(directory, { recursive: true, force: true });
    await rename(staging, directory);
    const bytesBefore = externalData.reduce((sum, { data }) => sum + data.length, bytes.length);
    return { directory, bytesBefore, bytesAfter: quantised.length, tensors, vectors, weights };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** Of a hub's snapshot only what the lock names: the rest is not known to be the hub's. */
async function copyOthers(
  { directory, boundary, origin }: LocatedModel,
  files: ModelFiles,
  to: string,
  replaced: readonly string[],
): Promise<void> {
  for (const name of await filesBelow(directory)) {
    const isModel = /\.onnx([_.]data.*)?$/.test(name) || name === "manifest.json" || replaced.includes(name);
    if (isModel || (origin === "hub" && !files.isListed(name))) continue;
    await mkdir(dirname(join(to, name)), { recursive: true });
    await copyFile(await pathInside({ directory, boundary, name }), join(to, name));
  }
}

async function writeManifest(directory: string, head: object): Promise<void> {
  const files: Record<string, { bytes: number; sha256: string }> = {};
  for (const path of await filesBelow(directory)) {
    const bytes = await readFile(join(directory, path));
    files[path] = { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  await writeFile(join(directory, "manifest.json"), `${JSON.stringify({ ...head, files }, null, 2)}\n`);
}

/** Sample texts by both models; `null` where the files are those of no text model. */
async function compare(
  name: string,
  quantised: string,
  environment: Environment,
  lock: ModelLock,
): Promise<Closeness | null> {
  const vectorsOf = async (model: string): Promise<Float32Array[]> => {
    await using encoder = await openTextEncoder({ model, threads: 1, environment, lock });
    return (await encoder.encode(sampleTexts)).map((result) => {
      if (result.ok) return result.value;
      throw new MedleyError(result.failure.code, result.failure.message);
    });
  };
  let original: Float32Array[];
  try {
    original = await vectorsOf(name);
  } catch (error) {
    const isOther = error instanceof MedleyError && /^model_(unsupported|not_found)$/.test(error.code);
    if (isOther) return null;
    throw error;
  }
  return closeness(await vectorsOf(quantised), original);
}
