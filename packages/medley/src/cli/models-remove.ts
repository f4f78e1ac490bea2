import { MedleyError } from "@medley/core";
import {
  cachedHubModels,
  isBundled,
  isModelPath,
  parseModelName,
  removeCached,
  updateLock,
} from "@medley/models";
import type { Context } from "./context.ts";
import { modelsHere } from "./models-context.ts";
import type { Outcome } from "./output.ts";
import { megabytes } from "./progress.ts";

/** `medley models remove NAME`. A folder is taken out of the lock only: its files are the user's own. */
export async function removeModelCommand(context: Context, name: string): Promise<Outcome> {
  if (isBundled(name)) {
    throw new MedleyError("usage", `"${name}" travels with Medley`, {
      mend: "it can stay: it is a part of the installation",
    });
  }
  const { lock, lockFile } = await modelsHere(context);
  const { base } = parseModelName(name);
  const isPinned = Object.hasOwn(lock.models, name);
  const isCached = (await cachedHubModels(context.environment)).some(({ id }) => id === base);
  if (!isPinned && (isModelPath(base) || !isCached)) {
    throw new MedleyError("not_found", `"${name}" is neither in ${lockFile} nor in the hub's cache`, {
      mend: "`medley models list` shows what is",
    });
  }
  const bytes = isModelPath(base) ? 0 : await removeCached(name, context.environment, lock);
  if (isPinned) {
    await updateLock(lockFile, (models) => {
      delete models[name];
    });
  }
  const text = `removed ${name}: ${megabytes(bytes)} freed${isPinned ? `, and no longer in ${lockFile}` : ""}`;
  return { exitCode: 0, data: { name, bytesFreed: bytes, wasPinned: isPinned }, text };
}
