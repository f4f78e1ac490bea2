import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError, suggestion } from "@medley/core";
import {
  artefactsFolder,
  isRunId,
  type LockedArtefact,
  manifestFile,
  parseManifestFiles,
  updateLock,
} from "@medley/models";
import { replacedNote } from "../train/replaced-note.ts";
import { spaceNamed } from "../train/training-space.ts";
import { type Context, configOf } from "./context.ts";
import type { Outcome } from "./output.ts";

/** `medley models use COLLECTION.SPACE RUN`: pins the artefact of an earlier run, as its folder is now. */
export async function useArtefact(context: Context, place: string, run: string): Promise<Outcome> {
  const { collections, lock } = await configOf(context);
  spaceNamed(collections, place);
  const folder = artefactsFolder(lock.file, place);
  const runs = (await readdir(folder).catch(() => [])).filter((name) =>
    existsSync(join(folder, name, manifestFile)),
  );
  if (!isRunId(run) || !runs.includes(run)) {
    throw new MedleyError("not_found", `there is no artefact "${run}" in ${folder}`, {
      mend: runs.length === 0 ? `run \`medley train ${place}\`` : suggestion(run, runs),
    });
  }
  const artefact = await pinnedAsItIs(join(folder, run), run);
  let before: LockedArtefact | undefined;
  await updateLock(lock.file as string, (_, trained) => {
    before = trained[place];
    trained[place] = artefact;
  });
  const note = replacedNote(place, before, artefact);
  const text = [
    `${place} is served by run ${run} from now on, pinned in ${lock.file}`,
    ...(note === null ? [] : [note]),
  ].join("\n");
  return { exitCode: 0, data: { space: place, run, replaced: before?.run ?? null }, text };
}

/** What the manifest lists, checked against it, and the manifest itself. */
async function pinnedAsItIs(directory: string, run: string): Promise<LockedArtefact> {
  const manifest = await readFile(join(directory, manifestFile));
  const files = parseManifestFiles(manifest, join(directory, manifestFile));
  for (const [path, { sha256 }] of Object.entries(files)) {
    const got = createHash("sha256")
      .update(await readFile(join(directory, path)).catch(() => ""))
      .digest("hex");
    if (got === sha256) continue;
    throw new MedleyError(
      "model_damaged",
      `${join(directory, path)}: expected sha256 ${sha256}, got ${got}`,
      {
        mend: "take the artefact's folder from a backup, or use another run",
      },
    );
  }
  const sha256 = createHash("sha256").update(manifest).digest("hex");
  return { run, files: { ...files, [manifestFile]: { sha256, bytes: manifest.length } } };
}
