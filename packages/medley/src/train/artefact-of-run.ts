import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isTrainedSpace, isTunedSpace, MedleyError, projectionOf, type SpaceDefinition } from "@medley/core";
import {
  describeArtefact,
  type LockedArtefact,
  manifestFile,
  parseManifestFiles,
  type TrainedKind,
} from "@medley/models";

interface ArtefactPlace {
  /** `collection.space`, and what is configured there. */
  readonly place: string;
  readonly definition: SpaceDefinition;
  readonly directory: string;
}

/**
 * What the lock is to say of the artefact that an earlier run has left, as its folder is now. Throws `model_damaged`, `config_invalid` where
 * the space is configured as something else, and what opening an artefact throws.
 */
export async function artefactOfRun(run: string, at: ArtefactPlace): Promise<LockedArtefact> {
  const artefact = await pinnedAsItIs(at.directory, run);
  await checkServes(artefact, at);
  return artefact;
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
 * there: it takes the model.
 */
async function checkServes(
  { run, files: hashes }: LockedArtefact,
  { place, definition, directory }: ArtefactPlace,
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
