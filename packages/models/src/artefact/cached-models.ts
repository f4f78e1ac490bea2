import { lstat, readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { join, posix, relative, sep } from "node:path";
import { MedleyError } from "@medley/core";
import { hubCache, repositoryFolder } from "./hub-cache.ts";
import { type Environment, isBundled, type LocatedModel, type LocateOptions, locateModel } from "./locate.ts";
import type { LockedFile, ModelLock } from "./lock.ts";
import { isModelPath, parseModelName } from "./model-name.ts";

/** What is on this disk of a model, by sizes only: `ModelFiles.open` compares the bytes. */
export interface ModelState {
  readonly name: string;
  readonly origin: LocatedModel["origin"];
  /** The suffix of its ONNX file; null for a bundled model, which has one. */
  readonly dtype: string | null;
  readonly revision: string | null;
  /** Of the files that are there. */
  readonly bytes: number;
  readonly state: "ok" | "missing" | "not pinned";
  /** Why it is not ok; empty where it is. */
  readonly problem: string;
  readonly mend: string;
}

/** More are no model's folder. */
const filesMax = 10_000;

export async function inspectModel(
  name: string,
  environment: Environment,
  options: LocateOptions & { readonly lock: ModelLock },
): Promise<ModelState> {
  const { base, dtype = "fp32" } = parseModelName(name);
  const locked = Object.hasOwn(options.lock.models, name) ? options.lock.models[name] : undefined;
  const origin = isBundled(name) ? "bundled" : isModelPath(base) ? "folder" : "hub";
  const known = {
    name,
    origin,
    dtype: origin === "bundled" ? null : dtype,
    revision: locked?.revision ?? null,
  } as const;
  const pull = `run "medley models pull ${name}"`;
  if (origin === "hub" && locked === undefined) {
    return { ...known, bytes: 0, state: "not pinned", problem: "the lock does not name it", mend: pull };
  }
  try {
    const { directory } = await locateModel(name, environment, options);
    if (locked === undefined) {
      return { ...known, bytes: await folderBytes(directory), state: "ok", problem: "", mend: "" };
    }
    const { bytes, wrong } = await sizesOf(directory, locked.files);
    if (wrong.length === 0) return { ...known, bytes, state: "ok", problem: "", mend: "" };
    const problem = `not there, or of another size: ${wrong.join(", ")}`;
    const mend = origin === "hub" ? pull : "fetch the model again";
    return { ...known, bytes, state: "missing", problem, mend };
  } catch (error) {
    if (!(error instanceof MedleyError)) throw error;
    return { ...known, bytes: 0, state: "missing", problem: error.message, mend: error.mend ?? "" };
  }
}

async function sizesOf(
  directory: string,
  files: Readonly<Record<string, LockedFile>>,
): Promise<{ bytes: number; wrong: string[] }> {
  let bytes = 0;
  const wrong: string[] = [];
  for (const [path, file] of Object.entries(files)) {
    const stats = await stat(join(directory, path)).catch(() => undefined);
    if (stats?.isFile() && stats.size === file.bytes) bytes += stats.size;
    else wrong.push(path);
  }
  return { bytes, wrong };
}

async function folderBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const path of await filesBelow(directory)) bytes += (await stat(join(directory, path))).size;
  return bytes;
}

/** Relative paths, with `/`, of the regular files (and links to such) below a folder. */
export async function filesBelow(directory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const path of await readdir(directory, { recursive: true })) {
    const stats = await stat(join(directory, path)).catch(() => undefined);
    if (stats?.isFile()) paths.push(path.split(sep).join(posix.sep));
    if (paths.length > filesMax) {
      throw new MedleyError("model_unsupported", `${directory} has more than ${filesMax} files`, {
        mend: "give the folder of one model",
      });
    }
  }
  return paths.sort();
}

/** Ids in the hub's cache of this machine that have an ONNX file, whoever brought them. */
export async function cachedHubModels(
  environment: Environment,
): Promise<{ readonly id: string; readonly bytes: number; readonly revision: string | null }[]> {
  const cache = hubCache(environment);
  const folders = cache === undefined ? [] : await readdir(cache).catch(() => []);
  const found: { id: string; bytes: number; revision: string | null }[] = [];
  for (const folder of folders.filter((one) => one.startsWith("models--"))) {
    const repository = join(cache as string, folder);
    const snapshots = join(repository, "snapshots");
    const files = await filesBelow(snapshots).catch(() => []);
    if (!files.some((path) => path.endsWith(".onnx"))) continue;
    const blobs = new Map<string, number>();
    for (const path of files) {
      const blob = await realpath(join(snapshots, path));
      blobs.set(blob, (await stat(blob)).size);
    }
    const main = await readFile(join(repository, "refs", "main"), "utf8").catch(() => null);
    found.push({
      id: folder.slice("models--".length).replaceAll("--", "/"),
      bytes: [...blobs.values()].reduce((sum, one) => sum + one, 0),
      revision: main?.trim() ?? null,
    });
  }
  return found;
}

/**
 * Removes the files of a model from the hub's cache that no other model of the lock needs; of one that no lock names, all that
 * the cache has. Answers the bytes that became free. Folders and bundled models are not touched.
 */
export async function removeCached(name: string, environment: Environment, lock: ModelLock): Promise<number> {
  const { base } = parseModelName(name);
  const cache = hubCache(environment);
  if (cache === undefined) return 0;
  const repository = repositoryFolder(cache, base);
  const before = await diskBytes(repository);
  const locked = Object.hasOwn(lock.models, name) ? lock.models[name] : undefined;
  const others = Object.entries(lock.models).filter(
    ([other]) => other !== name && parseModelName(other).base === base,
  );
  if (locked === undefined && others.length === 0) {
    await rm(repository, { recursive: true, force: true });
    return before;
  }
  if (locked === undefined || locked.revision === null) return 0;
  const snapshot = join(repository, "snapshots", locked.revision);
  const shared = new Set(
    others.filter(([, one]) => one.revision === locked.revision).flatMap(([, one]) => Object.keys(one.files)),
  );
  for (const path of Object.keys(locked.files)) {
    if (!shared.has(path)) await rm(join(snapshot, path), { force: true });
  }
  const left = await filesBelow(snapshot).catch(() => []);
  if (left.length === 0) await rm(snapshot, { recursive: true, force: true });
  await removeUnlinked(repository);
  return before - (await diskBytes(repository));
}

/** Blobs that no snapshot links to any more; the whole repository where none is left. */
async function removeUnlinked(repository: string): Promise<void> {
  const snapshots = join(repository, "snapshots");
  const linked = new Set<string>();
  for (const path of await filesBelow(snapshots).catch(() => [])) {
    linked.add(relative(await realpath(repository), await realpath(join(snapshots, path))));
  }
  if (linked.size === 0) {
    await rm(repository, { recursive: true, force: true });
    return;
  }
  for (const blob of await readdir(join(repository, "blobs")).catch(() => [])) {
    if (!linked.has(join("blobs", blob))) await rm(join(repository, "blobs", blob), { force: true });
  }
}

/** Links count nothing. */
async function diskBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const path of await readdir(directory, { recursive: true }).catch(() => [])) {
    const stats = await lstat(join(directory, path));
    if (stats.isFile()) bytes += stats.size;
  }
  return bytes;
}
