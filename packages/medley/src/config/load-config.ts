import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Collection, checkConfig, MedleyError, type Space, type SpaceDefinition } from "@medley/core";
import { lockFileName, type ModelLock, readLock } from "@medley/models";
import { withAssigned } from "./assigned-collection.ts";

const fileNames = ["medley.config.ts", "medley.config.js", "medley.config.json"];

export interface LoadedConfig {
  readonly file: string;
  readonly collections: ReadonlyMap<string, Collection>;
  /** `medley.lock.json` beside it: which bytes the models are, and which candidates serve. */
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
  const lock = await readLock(join(dirname(file), lockFileName));
  const collections = checkConfig(await readConfig(file), file).map((one) =>
    withFolders(withAssigned(one, lock), dirname(file)),
  );
  return { file, collections: new Map(collections.map((collection) => [collection.name, collection])), lock };
}

function withFolders(collection: Collection, directory: string): Collection {
  const spaces = collection.spaces.map(
    (space): Space => ({ ...space, definition: withFolder(space.definition, directory) }),
  );
  return { ...collection, spaces };
}

/** The folder of pictures or clips is relative to the configuration file, in `directory`; from here on it is absolute. */
export function withFolder(definition: SpaceDefinition, directory: string): SpaceDefinition {
  if (!("from" in definition) || definition.from?.folder === undefined) return definition;
  return { ...definition, from: { ...definition.from, folder: resolve(directory, definition.from.folder) } };
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
