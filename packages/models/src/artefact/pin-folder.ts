import { stat } from "node:fs/promises";
import { join } from "node:path";
import { filesBelow } from "./cached-models.ts";
import { ModelFiles } from "./files.ts";
import { type Environment, type LocateOptions, locateModel } from "./locate.ts";
import type { LockedFile, LockedModel } from "./lock.ts";
import { pinModel } from "./onnx-file.ts";

/**
 * The hashes of all files in a model's folder as they are now, for the lock: from then on they must stay so. Throws what
 * opening a model throws, and `model_unsupported` for links out of the folder.
 */
export async function pinFolder(
  name: string,
  environment: Environment,
  options: LocateOptions,
): Promise<LockedModel> {
  // What the lock says so far is to be replaced.
  const located = { ...(await locateModel(name, environment, options)), hashes: undefined };
  const files = await ModelFiles.open(located);
  await pinModel(files, located.modelFile);
  const pinned: Record<string, LockedFile> = {};
  for (const path of await filesBelow(located.directory)) {
    const { sha256 } = await files.hash(path);
    pinned[path] = { sha256, bytes: (await stat(join(located.directory, path))).size };
  }
  return { revision: null, files: pinned };
}
