import { join } from "node:path";
import { MedleyError } from "@medley/core";
import {
  bundledModels,
  isBundled,
  lockFileName,
  type ModelKind,
  type ModelLock,
  readLock,
} from "@medley/models";
import { type ConfiguredModel, configuredModels, trainedSpaces } from "../config/configured-models.ts";
import { type Context, configOf } from "./context.ts";

export interface ModelsHere {
  readonly configured: readonly ConfiguredModel[];
  /** `collection.space`: those that are trained, configured or pinned. */
  readonly trained: readonly string[];
  /** Of them, those that the configuration names. */
  readonly needed: ReadonlySet<string>;
  readonly lock: ModelLock;
  readonly lockFile: string;
}

/** The configuration's models and lock; in a folder without a configuration, the lock of that folder. */
export async function modelsHere(context: Context): Promise<ModelsHere> {
  try {
    const { collections, lock } = await configOf(context);
    const needed = trainedSpaces(collections);
    const trained = [...new Set([...needed, ...Object.keys(lock.trained)])];
    const configured = configuredModels(collections);
    return { configured, trained, needed: new Set(needed), lock, lockFile: lock.file as string };
  } catch (error) {
    const isAbsent = error instanceof MedleyError && error.code === "config_not_found";
    if (!isAbsent || context.global.config !== undefined) throw error;
    const lockFile = join(context.directory, lockFileName);
    const lock = await readLock(lockFile);
    return { configured: [], trained: Object.keys(lock.trained), needed: new Set(), lock, lockFile };
  }
}

/** Names that are configured, pinned or bundled, each once. */
export function knownModels({ configured, lock }: ModelsHere): string[] {
  return [
    ...new Set([...bundledModels, ...configured.map(({ name }) => name), ...Object.keys(lock.models)]),
  ].filter((name) => bundledModels.includes(name) || !isBundled(name));
}

export function kindOf(name: string, { configured }: ModelsHere): ModelKind | undefined {
  return configured.find((model) => model.name === name)?.kind;
}
