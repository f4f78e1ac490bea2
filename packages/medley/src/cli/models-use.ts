import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  isTrainedSpace,
  isTunedSpace,
  MedleyError,
  projectionOf,
  type SpaceDefinition,
  suggestion,
} from "@medley/core";
import {
  artefactsFolder,
  describeArtefact,
  isRunId,
  type LockedArtefact,
  manifestFile,
  parseManifestFiles,
  type TrainedKind,
  updateLock,
} from "@medley/models";
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
  const artefact = await pinnedAsItIs(join(folder, run), run);
  await checkServes(artefact, { place, definition, directory: join(folder, run) });
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

/**
 * Pinned, another kind's artefact would stop every process that opens the space. A reduced space's axes are compared with its encoder only
 * there: it takes the model. Throws `config_invalid`, and what opening an artefact throws.
 */
async function checkServes(
  { run, files: hashes }: LockedArtefact,
  { place, definition, directory }: { place: string; definition: SpaceDefinition; directory: string },
): Promise<void> {
  const manifest = JSON.parse(await readFile(join(directory, manifestFile), "utf8"));
  const { kind, dimensions } = servedBy(definition);
  if (manifest.kind !== kind || (dimensions !== null && manifest.dimensions !== dimensions)) {
    const configured = `${kind ?? "what needs no artefact"}${dimensions === null ? "" : ` with ${dimensions} dimensions`}`;
    throw new MedleyError(
      "config_invalid",
      `space ${place} is configured as ${configured}, but the artefact of run ${run} is ${manifest.kind} with ${manifest.dimensions}`,
      { mend: "configure the space as it was when that run was trained, or use another run" },
    );
  }
  // A tuned model is laid out like a pre-trained one, which says itself how many dimensions it has.
  if (dimensions === null) return;
  await describeArtefact(directory, { space: place, kind: kind as TrainedKind, dimensions, hashes });
}

/** What an artefact of the space is; null: it has none, or its model says how many. */
function servedBy(definition: SpaceDefinition): { kind: string | null; dimensions: number | null } {
  const projection = projectionOf(definition);
  if (projection !== undefined) return { kind: projection.by, dimensions: projection.to };
  if (isTrainedSpace(definition)) return { kind: definition.encoder, dimensions: definition.dimensions };
  return { kind: isTunedSpace(definition) ? definition.encoder : null, dimensions: null };
}
