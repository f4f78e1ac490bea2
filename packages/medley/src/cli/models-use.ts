import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError, suggestion } from "@medley/core";
import { artefactsFolder, isRunId, type LockedArtefact, manifestFile, updateLock } from "@medley/models";
import { artefactOfRun } from "../train/artefact-of-run.ts";
import { replacedNote } from "../train/replaced-note.ts";
import { spaceNamed } from "../train/training-space.ts";
import { type Context, configOf } from "./context.ts";
import type { Outcome } from "./output.ts";

/** `medley models use COLLECTION.SPACE RUN`: pins the artefact of an earlier run, as its folder is now, where the space is what it is of. */
export async function useArtefact(context: Context, place: string, run: string): Promise<Outcome> {
  const { collections, lock } = await configOf(context);
  const { definition } = spaceNamed(collections, place).space;
  const folder = artefactsFolder(lock.file, place);
  const runs = (await readdir(folder).catch(() => [])).filter((name) =>
    existsSync(join(folder, name, manifestFile)),
  );
  if (!isRunId(run) || !runs.includes(run)) {
    throw new MedleyError("not_found", `there is no artefact "${run}" in ${folder}`, {
      mend: runs.length === 0 ? `run \`medley train ${place}\`` : suggestion(run, runs),
    });
  }
  const artefact = await artefactOfRun(run, { place, definition, directory: join(folder, run) });
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
