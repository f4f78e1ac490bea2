import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Collection, checkConfig, MedleyError, type Space } from "@medley/core";
import { lockFileName, type ModelLock, readLock } from "@medley/models";

const fileNames = ["medley.config.ts", "medley.config.js", "medley.config.json"];

export interface LoadedConfig {
  readonly file: string;
  readonly collections: ReadonlyMap<string, Collection>;
  /** `medley.lock.json` beside it: which bytes the models are. */
  readonly lock: ModelLock;
}

/**
 * Loads and checks a configuration: the file given, or the first of `medley.config.{ts,js,json}` in `directory`. Throws
 * `MedleyError` `config_not_found` or `config_invalid`.
 */
export async function loadConfig(directory: string, path?: string): Promise<LoadedConfig> {
  const candidates = path === undefined ? fileNames : [path];
  const file = candidates.map((name) => resolve(directory, name)).find((name) => existsSync(name));
  if (file === undefined) {
    throw new MedleyError("config_not_found", `there is no ${candidates.join(" or ")} in ${directory}`, {
      mend: "run `medley init` to write one, or name it with --config",
    });
  }
  const collections = checkConfig(await readConfig(file), file).map((one) => withFolders(one, dirname(file)));
  const lock = await readLock(join(dirname(file), lockFileName));
  return { file, collections: new Map(collections.map((collection) => [collection.name, collection])), lock };
}

/** Folders of pictures and clips are relative to the configuration file; from here on they are absolute. */
function withFolders(collection: Collection, directory: string): Collection {
  const spaces = collection.spaces.map((space): Space => {
    const { definition } = space;
    if (!("from" in definition) || definition.from?.folder === undefined) return space;
    const from = { ...definition.from, folder: resolve(directory, definition.from.folder) };
    return { ...space, definition: { ...definition, from } };
  });
  return { ...collection, spaces };
}

async function readConfig(file: string): Promise<unknown> {
  try {
    if (file.endsWith(".json")) return JSON.parse(readFileSync(file, "utf8"));
    const module = await import(pathToFileURL(file).href);
    return module.default;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MedleyError("config_invalid", `${file} can't be loaded: ${reason}`, {
      mend: "it must be valid TypeScript (types only: nothing that needs compiling) and export the configuration as default",
      cause: error,
    });
  }
}
