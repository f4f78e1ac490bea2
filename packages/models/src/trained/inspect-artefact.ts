import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { ModelState } from "../artefact/cached-models.ts";
import { ModelFiles } from "../artefact/files.ts";
import type { ModelLock } from "../artefact/lock.ts";
import { manifestFile, modelFile } from "./manifest.ts";
import { artefactsFolder, describeArtefact, pinnedArtefact } from "./trained-model.ts";

/** Whether the artefact that the lock pins for a space is there, by sizes only. `revision` is its run. */
export async function inspectArtefact(space: string, lock: ModelLock): Promise<ModelState> {
  const known = { name: space, origin: "trained", dtype: null } as const;
  const mend = `run \`medley train ${space}\`, or take its folder from a backup`;
  if (!Object.hasOwn(lock.trained, space)) {
    const problem = "the space is not trained: the lock pins no artefact for it";
    return { ...known, revision: null, bytes: 0, state: "not pinned", problem, mend };
  }
  const { run, files } = pinnedArtefact(space, lock);
  let bytes = 0;
  const wrong: string[] = [];
  for (const [path, file] of Object.entries(files)) {
    const stats = await stat(join(artefactsFolder(lock.file, space), run, path)).catch(() => undefined);
    if (stats?.isFile() && stats.size === file.bytes) bytes += stats.size;
    else wrong.push(path);
  }
  if (wrong.length === 0) return { ...known, revision: run, bytes, state: "ok", problem: "", mend: "" };
  const problem = `not there, or of another size: ${wrong.join(", ")}`;
  return { ...known, revision: run, bytes, state: "missing", problem, mend };
}

/** Hashes all files of a space's artefact, and reads it as a worker would. Throws what opening it throws. */
export async function verifyArtefact(space: string, lock: ModelLock): Promise<void> {
  const { run, files: hashes } = pinnedArtefact(space, lock);
  const directory = join(artefactsFolder(lock.file, space), run);
  const located = {
    name: space,
    origin: "trained",
    directory,
    modelFile,
    boundary: directory,
    hashes,
  } as const;
  const files = await ModelFiles.open(located);
  const manifest = await files.json(manifestFile);
  // A tuned model is laid out like a pre-trained one: its files match, and its kind reads them where it is opened.
  if (manifest?.format !== "medley-model" || ["text", "image", "audio"].includes(String(manifest.kind)))
    return;
  const { kind, dimensions } = manifest as { kind: never; dimensions: number };
  await describeArtefact(directory, { space, kind, dimensions, hashes });
}
