import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { MedleyError } from "@medley/core";

/** Environment variables, read once where a process starts. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface LocatedModel {
  readonly name: string;
  readonly directory: string;
  /** Relative to `directory`. */
  readonly modelFile: string;
}

/** Names of the models that come with Medley, and the npm packages that hold them. */
const bundledModels: Readonly<Record<string, string>> = {
  "all-MiniLM-L6-v2": "@medley/model-all-minilm-l6-v2",
  "ge2e-voice": "@medley/model-ge2e-voice",
  "sentence-transformers/all-MiniLM-L6-v2": "@medley/model-all-minilm-l6-v2",
};

/** Where Hugging Face's tools leave an ONNX file, the usual place first. */
const modelFiles = ["onnx/model.onnx", "model.onnx"];

/**
 * Finds a model's folder: a bundled model by name, a path (absolute, or from `./` or `../`), or a Hugging Face id
 * in the hub's cache on this disk. Downloads nothing. Throws `model_not_found` with every place it looked at.
 */
export async function locateModel(name: string, environment: Environment): Promise<LocatedModel> {
  const looked: string[] = [];
  for (const directory of await candidateDirectories(name, environment, looked)) {
    for (const modelFile of modelFiles) {
      const path = join(directory, modelFile);
      if (await isFile(path)) return { name, directory, modelFile };
      looked.push(path);
    }
  }
  throw new MedleyError(
    "model_not_found",
    `the model "${name}" was not found; looked at ${looked.join(", ")}`,
    {
      mend: mendFor(name),
    },
  );
}

async function candidateDirectories(
  name: string,
  environment: Environment,
  looked: string[],
): Promise<string[]> {
  const bundled = bundledModels[name];
  if (bundled !== undefined) return [bundledDirectory(bundled)];
  if (isPath(name)) return [resolve(name)];
  const hub = hubCache(environment);
  if (hub === undefined || !/^[\w.-]+(\/[\w.-]+)?$/.test(name)) {
    looked.push(`the names of bundled models (${Object.keys(bundledModels).join(", ")})`);
    return [];
  }
  const repository = join(hub, `models--${name.replaceAll("/", "--")}`);
  const ref = join(repository, "refs", "main");
  try {
    return [join(repository, "snapshots", (await readFile(ref, "utf8")).trim())];
  } catch {
    looked.push(ref);
    return [];
  }
}

function isPath(name: string): boolean {
  return isAbsolute(name) || name.startsWith("./") || name.startsWith("../") || name === "." || name === "..";
}

function bundledDirectory(packageName: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`));
}

/** The order of huggingface_hub's constants.py. */
function hubCache(environment: Environment): string | undefined {
  if (environment.HF_HUB_CACHE) return environment.HF_HUB_CACHE;
  if (environment.HF_HOME) return join(environment.HF_HOME, "hub");
  if (environment.XDG_CACHE_HOME) return join(environment.XDG_CACHE_HOME, "huggingface", "hub");
  const home = environment.HOME ?? environment.USERPROFILE;
  return home ? join(home, ".cache", "huggingface", "hub") : undefined;
}

function mendFor(name: string): string {
  if (isPath(name)) return "give the folder that holds onnx/model.onnx, tokenizer.json and config.json";
  return (
    `run "hf download ${name}" on this machine, or set HF_HOME or HF_HUB_CACHE to the cache that has it, ` +
    `or give the path of the model's folder (./path), or use the bundled all-MiniLM-L6-v2`
  );
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
