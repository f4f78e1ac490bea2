import { stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { MedleyError } from "@medley/core";
import type { FileHashes } from "./files.ts";
import { hubCache, repositoryFolder } from "./hub-cache.ts";
import { emptyLock, type ModelLock } from "./lock.ts";
import { isHubId, isModelPath, type ModelKind, modelFilesOf, parseModelName } from "./model-name.ts";

/** Environment variables, read once where a process starts. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface LocatedModel {
  readonly name: string;
  readonly origin: "bundled" | "folder" | "hub" | "trained";
  readonly directory: string;
  /** Relative to `directory`. */
  readonly modelFile: string;
  /** Links in `directory` may not lead out of this folder. */
  readonly boundary: string;
  /** What the lock says of the model's files. */
  readonly hashes: FileHashes;
}

export interface LocateOptions {
  /** Pins the models of the hub; without it none is loaded. */
  readonly lock?: ModelLock | undefined;
  readonly kind?: ModelKind | undefined;
}

/** Names of the models that come with Medley, and the npm packages that hold them. */
const bundledPackages: Readonly<Record<string, string>> = {
  "all-MiniLM-L6-v2": "@medley/model-all-minilm-l6-v2",
  "ge2e-voice": "@medley/model-ge2e-voice",
  "sentence-transformers/all-MiniLM-L6-v2": "@medley/model-all-minilm-l6-v2",
  "thin-resnet-50": "@medley/model-thin-resnet-50",
};

/** Each once, by its shortest name. */
export const bundledModels: readonly string[] = ["all-MiniLM-L6-v2", "thin-resnet-50", "ge2e-voice"];

/** Of text spaces that name none: it travels with Medley. */
export const defaultTextModel = "all-MiniLM-L6-v2";

export function isBundled(name: string): boolean {
  return Object.hasOwn(bundledPackages, name);
}

type Place = Omit<LocatedModel, "name" | "modelFile">;

/**
 * Finds a model's folder: a bundled model by name, a path (absolute, or from `./` or `../`, relative to the lock's folder), or
 * a Hugging Face id that the lock pins, in the hub's cache on this disk. A suffix takes another ONNX file of it: `NAME#fp16`
 * (see `parseModelName`). Downloads nothing. Throws `model_not_found` with every place it looked at.
 */
export async function locateModel(
  name: string,
  environment: Environment,
  { lock = emptyLock, kind }: LocateOptions = {},
): Promise<LocatedModel> {
  const { base, dtype } = parseModelName(name);
  const place = placeOf(name, environment, lock);
  const looked: string[] = [];
  for (const modelFile of modelFilesOf(isBundled(name) ? undefined : dtype, kind)) {
    const path = join(place.directory, modelFile);
    const isPinned = place.hashes === undefined || Object.hasOwn(place.hashes, modelFile);
    if (isPinned && (await isFile(path))) return { name, ...place, modelFile };
    looked.push(path);
  }
  const mend = isModelPath(base)
    ? `give the folder that holds ${modelFilesOf(dtype, kind)[0]}, tokenizer.json and config.json`
    : pullMend(name);
  throw new MedleyError(
    "model_not_found",
    `the model "${name}" was not found; looked at ${looked.join(", ")}`,
    { mend },
  );
}

function placeOf(name: string, environment: Environment, lock: ModelLock): Place {
  if (isBundled(name)) {
    const directory = bundledDirectory(bundledPackages[name] as string);
    return { origin: "bundled", directory, boundary: directory, hashes: undefined };
  }
  const { base } = parseModelName(name);
  const locked = Object.hasOwn(lock.models, name) ? lock.models[name] : undefined;
  if (isModelPath(base)) {
    const directory = resolve(lock.file === undefined ? "." : dirname(lock.file), base);
    return { origin: "folder", directory, boundary: directory, hashes: locked?.files };
  }
  if (!isHubId(base)) throw noSuchName(name);
  if (locked === undefined || locked.revision === null) throw notPinned(name, lock);
  const cache = hubCache(environment);
  if (cache === undefined) throw noCache(name);
  const boundary = repositoryFolder(cache, base);
  const directory = join(boundary, "snapshots", locked.revision);
  return { origin: "hub", directory, boundary, hashes: locked.files };
}

function noSuchName(name: string): MedleyError {
  const bundled = bundledModels.join(", ");
  return new MedleyError("model_not_found", `"${name}" is the name of no model; bundled are ${bundled}`, {
    mend: "give a Hugging Face id (org/name), the path of a model's folder (./path), or a bundled model's name",
  });
}

function notPinned(name: string, lock: ModelLock): MedleyError {
  const where = lock.file ?? "no lock file was given";
  return new MedleyError(
    "model_not_found",
    `the model "${name}" is not pinned (${where}), so it is not loaded`,
    {
      mend: pullMend(name),
    },
  );
}

export function noCache(name: string): MedleyError {
  return new MedleyError("model_not_found", `there is no hub cache to look for the model "${name}" in`, {
    mend: "set HF_HOME or HF_HUB_CACHE to a folder",
  });
}

function pullMend(name: string): string {
  return (
    `run "medley models pull ${name}" (what the hub's cache on this machine has is not fetched again), ` +
    "or give the path of the model's folder (./path), or use the bundled all-MiniLM-L6-v2"
  );
}

function bundledDirectory(packageName: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`));
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
