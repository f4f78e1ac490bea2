import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MedleyError } from "@medley/core";
import {
  encodeManifest,
  type LockedArtefact,
  type LockedFile,
  manifestFile,
  writeFileAtomic,
} from "@medley/models";
import type { TrainedModel } from "../trained-model.ts";

export interface WriteArtefactOptions {
  /** Of the run; it must not be there yet. */
  readonly directory: string;
  readonly run: string;
  readonly model: TrainedModel;
  /** `README.md`: not pinned, so that it can be written on. */
  readonly card: string;
}

/**
 * Writes an artefact's folder in one go: a crash leaves none, or a whole one. Returns what the lock says of it: the manifest,
 * and the files that decide vectors. Throws `data_not_writable`.
 */
export async function writeArtefact({
  directory,
  run,
  model,
  card,
}: WriteArtefactOptions): Promise<LockedArtefact> {
  if (existsSync(directory)) {
    throw new MedleyError("data_not_writable", `${directory} is there already`, {
      mend: "remove it, and train again",
    });
  }
  const listed: Record<string, LockedFile> = {};
  for (const [path, bytes] of model.files) listed[path] = pinOf(bytes);
  const manifest = new TextEncoder().encode(
    encodeManifest(model.manifest as Parameters<typeof encodeManifest>[0], { run, files: listed }),
  );
  const temporary = `${directory}.${process.pid}.tmp`;
  try {
    for (const [path, bytes] of model.files) await writeFileAtomic(join(temporary, path), bytes);
    await writeFileAtomic(join(temporary, manifestFile), manifest);
    await writeFileAtomic(join(temporary, "README.md"), card);
    await mkdir(dirname(directory), { recursive: true });
    await rename(temporary, directory);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {}); // What it failed of is what counts.
    if (cause instanceof MedleyError) throw cause;
    throw new MedleyError("data_not_writable", `${directory} can't be written: ${(cause as Error).message}`, {
      mend: "make its folder writable",
      cause,
    });
  }
  return { run, files: { ...listed, [manifestFile]: pinOf(manifest) } };
}

function pinOf(bytes: Uint8Array): LockedFile {
  return { sha256: createHash("sha256").update(bytes).digest("hex"), bytes: bytes.length };
}
