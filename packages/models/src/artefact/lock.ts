import { readFile } from "node:fs/promises";
import { MedleyError } from "@medley/core";
import { type Assigned, assignedOf, noAssignment } from "./assigned.ts";
import { writeFileAtomic } from "./atomic-file.ts";
import { guarded } from "./file-guard.ts";
import { isPlainPath } from "./plain-path.ts";

/**
 * `medley.lock.json`: which bytes each model of a configuration is, and what was chosen where it leaves a choice. Written by
 * `medley models pull`, `medley train` and `medley assign`, kept in git.
 */
export interface ModelLock {
  /** Where it is, whether it exists or not. Paths of models are relative to its folder; `undefined`: to the working folder. */
  readonly file: string | undefined;
  /** By the model's name in the configuration. */
  readonly models: Readonly<Record<string, LockedModel>>;
  /** By `collection.space`: the artefact that serves it. */
  readonly trained: Readonly<Record<string, LockedArtefact>>;
  readonly assigned: Assigned;
}

/** What a training wrote, in `models/<collection>.<space>/<run>/` beside the lock. */
export interface LockedArtefact {
  readonly run: string;
  readonly files: Readonly<Record<string, LockedFile>>;
}

export interface LockedModel {
  /** The hub's commit, 40 hex digits; `null` for a folder. */
  readonly revision: string | null;
  /** By path in the model's folder. */
  readonly files: Readonly<Record<string, LockedFile>>;
}

export interface LockedFile {
  /** Hex. */
  readonly sha256: string;
  readonly bytes: number;
}

export const lockFileName = "medley.lock.json";
/** 2: with `trained`. 3: with `assigned`. 4: with `assigned.dimensions`. 5: with `assigned.classes`. */
const lockVersion = 5;
const lockVersionMin = 1;

/** Pins nothing: only bundled models and folders can be loaded. */
export const emptyLock: ModelLock = Object.freeze({
  file: undefined,
  models: Object.freeze({}),
  trained: Object.freeze({}),
  assigned: noAssignment,
});

/** Throws `config_invalid` for a file that is no lock; one that does not exist pins nothing. */
export async function readLock(file: string): Promise<ModelLock> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      return { file, models: {}, trained: {}, assigned: noAssignment };
    }
    throw invalid(file, (cause as Error).message, cause);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, "it is not JSON", cause);
  }
  return { file, ...entriesOf(json, file) };
}

type LockChange = (
  models: Record<string, LockedModel>,
  trained: Record<string, LockedArtefact>,
  assigned: { -readonly [Part in keyof Assigned]: Record<string, Assigned[Part][string]> },
) => void;

/**
 * Reads the lock, changes it and puts it in its place in one go: whoever reads it sees the old one or the new one, also after
 * a crash. Those that write at once, in one process or several, come one after the other. Throws `config_invalid`,
 * `data_not_writable`, `lock_busy`.
 */
export async function updateLock(file: string, change: LockChange): Promise<ModelLock> {
  return guarded(file, () => changed(file, change));
}

async function changed(file: string, change: LockChange): Promise<ModelLock> {
  const before = await readLock(file);
  const [models, trained] = [{ ...before.models }, { ...before.trained }];
  const { spaces, weights, classes, dimensions } = before.assigned;
  const assigned = {
    ...{ spaces: { ...spaces }, weights: { ...weights } },
    ...{ classes: { ...classes }, dimensions: { ...dimensions } },
  };
  change(models, trained, assigned);
  const inOrder = {
    spaces: sortedKeys(assigned.spaces),
    weights: sortedKeys(assigned.weights),
    classes: sortedKeys(assigned.classes),
    dimensions: sortedKeys(assigned.dimensions),
  };
  const written = { lockVersion, models: sorted(models), trained: sorted(trained), assigned: inOrder };
  await writeFileAtomic(file, `${JSON.stringify(written, null, 2)}\n`);
  return { file, models, trained, assigned };
}

function entriesOf(json: unknown, file: string): Omit<ModelLock, "file"> {
  const {
    lockVersion: version,
    models,
    trained = {},
    assigned = {},
  } = (json ?? {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(version) || (version as number) < lockVersionMin) {
    throw invalid(file, `it is no lock of version ${lockVersionMin} to ${lockVersion}`);
  }
  if ((version as number) > lockVersion) {
    throw new MedleyError(
      "config_invalid",
      `${file} is a lock of version ${version}; this process reads up to ${lockVersion}`,
      { mend: "update Medley to the version that wrote it" },
    );
  }
  if (!isObject(models) || !isObject(trained)) throw invalid(file, "its models or trained are no object");
  // Without a prototype: a model may be called "constructor".
  const chosen = assignedOf(assigned);
  if (!chosen.ok) throw invalid(file, chosen.failure);
  const read = { models: Object.create(null), trained: Object.create(null), assigned: chosen.value };
  for (const [name, model] of Object.entries(models)) read.models[name] = modelOf(name, model, file);
  for (const [space, artefact] of Object.entries(trained)) {
    read.trained[space] = artefactOf(space, artefact, file);
  }
  return read;
}

function artefactOf(space: string, artefact: unknown, file: string): LockedArtefact {
  const { run, files } = (artefact ?? {}) as Record<string, unknown>;
  const place = `trained[${JSON.stringify(space)}]`;
  if (!isSpaceName(space)) throw invalid(file, `${place} is named like no collection.space`);
  if (!isRunId(run)) throw invalid(file, `${place}.run is no id of a run`);
  return { run, files: filesOf(files, place, file) };
}

/** What folders of artefacts are called: they can't lead anywhere else. */
export function isRunId(run: unknown): run is string {
  return typeof run === "string" && /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(run);
}

/** `collection.space`. */
export function isSpaceName(name: string): boolean {
  return /^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/.test(name);
}

function modelOf(name: string, model: unknown, file: string): LockedModel {
  const { revision, files } = (model ?? {}) as Record<string, unknown>;
  const place = `models[${JSON.stringify(name)}]`;
  if (revision !== null && !/^[0-9a-f]{40}$/.test(String(revision))) {
    throw invalid(file, `${place}.revision is no commit of 40 hex digits`);
  }
  return { revision: revision as string | null, files: filesOf(files, place, file) };
}

function filesOf(files: unknown, place: string, file: string): Record<string, LockedFile> {
  if (!isObject(files)) throw invalid(file, `${place}.files is no object`);
  const locked: Record<string, LockedFile> = Object.create(null);
  for (const [path, one] of Object.entries(files)) {
    const { sha256, bytes } = (one ?? {}) as Record<string, unknown>;
    const at = `${place}.files[${JSON.stringify(path)}]`;
    if (!isPlainPath(path)) throw invalid(file, `${at} is outside of the model's folder`);
    if (!/^[0-9a-f]{64}$/.test(String(sha256))) throw invalid(file, `${at}.sha256 is not 64 hex digits`);
    if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw invalid(file, `${at}.bytes is no size`);
    locked[path] = { sha256: sha256 as string, bytes: bytes as number };
  }
  return locked;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** So that a change shows as few lines. */
function sorted<Entry extends LockedModel | LockedArtefact>(
  entries: Readonly<Record<string, Entry>>,
): Record<string, Entry> {
  return sortedKeys(
    Object.fromEntries(
      Object.entries(entries).map(([name, entry]) => [name, { ...entry, files: sortedKeys(entry.files) }]),
    ),
  );
}

function sortedKeys<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function invalid(file: string, what: string, cause?: unknown): MedleyError {
  return new MedleyError("config_invalid", `${file}: ${what}`, {
    mend: "take the file from version control, or delete it, then run `medley models pull`, `medley assign` and `medley train`",
    cause,
  });
}
