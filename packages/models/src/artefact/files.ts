import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import type { LocatedModel } from "./locate.ts";
import { pathInside } from "./plain-path.ts";

/** A file and the hash of the bytes it must have. */
export interface PinnedFile {
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

/** What the lock or `manifest.json` says of each file; `undefined` for a folder that neither knows. */
export type FileHashes = Readonly<Record<string, { readonly sha256: string }>> | undefined;

/** Configurations and tokenizers; the largest known are some 30 MB. */
const jsonBytesMax = 256 * 2 ** 20;

/**
 * One model's folder. Every file read through it is checked against the lock, or else `manifest.json` where there is one: the
 * bytes that are hashed are the bytes that are used. Files outside of the folder are refused, links to them as well.
 * Throws `model_damaged` for any difference, `model_not_found` for what is missing, `model_unsupported` for what is outside.
 */
export class ModelFiles {
  readonly directory: string;
  readonly #located: LocatedModel;
  #hashes: FileHashes;

  private constructor(located: LocatedModel) {
    this.directory = located.directory;
    this.#located = located;
    this.#hashes = located.hashes;
  }

  static async open(located: LocatedModel): Promise<ModelFiles> {
    const files = new ModelFiles(located);
    files.#hashes ??= hashesOf(await files.json("manifest.json"), located.directory);
    for (const name of Object.keys(files.#hashes ?? {})) await files.pin(name); // Also those we don't read ourselves.
    return files;
  }

  /** Whether the lock or the manifest says what a file must be. */
  isListed(name: string): boolean {
    return this.#hashes !== undefined && Object.hasOwn(this.#hashes, name);
  }

  /** The object in a JSON file, or `undefined` where the model has no such file. */
  async json(name: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    const read = await this.read(name, jsonBytesMax);
    return read === undefined ? undefined : parseJson(read.bytes, join(this.directory, name), this.#mend);
  }

  /** A whole file, or `undefined` where the model has no such file. */
  async read(
    name: string,
    bytesMax: number,
  ): Promise<{ readonly bytes: Uint8Array; readonly file: PinnedFile } | undefined> {
    const path = await this.#pathOf(name);
    if (path === undefined) return undefined;
    const bytes = await readWhole(path, bytesMax).catch((cause) => {
      throw this.#missing(path, cause);
    });
    const file = { path, sha256: createHash("sha256").update(bytes).digest("hex") };
    this.#check(name, file.sha256);
    return { bytes, file };
  }

  /** Hashes a file without holding it, so a session thread can load the same bytes later. */
  async pin(name: string): Promise<PinnedFile> {
    const file = await this.hash(name);
    this.#check(name, file.sha256);
    return file;
  }

  /** As `pin`, of a file that nothing may list. */
  async hash(name: string): Promise<PinnedFile> {
    const path = (await this.#pathOf(name)) ?? join(this.directory, name);
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) hash.update(chunk);
    } catch (cause) {
      const expected = this.#hashes?.[name]?.sha256;
      if (expected === undefined) throw this.#missing(path, cause);
      throw damaged({ path, expected, got: "no readable file", mend: this.#mend, cause });
    }
    return { path, sha256: hash.digest("hex") };
  }

  async #pathOf(name: string): Promise<string | undefined> {
    const { directory, boundary } = this.#located;
    try {
      const path = await pathInside({ directory, boundary, name });
      // A device or a pipe may be named like a model's file: opening it may never end.
      if (!(await stat(path)).isFile()) throw new Error(`${path} is no regular file`);
      return path;
    } catch (error) {
      if (error instanceof MedleyError) throw error;
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code as string)) return undefined;
      throw this.#missing(join(directory, name), error);
    }
  }

  #check(name: string, sha256: string): void {
    if (this.#hashes === undefined) return;
    // `hasOwn`: a file may be called "constructor".
    const known = Object.hasOwn(this.#hashes, name) ? this.#hashes[name]?.sha256 : undefined;
    const expected =
      known ?? `a file that ${this.#located.hashes ? "the lock" : "manifest.json"} does not list`;
    if (expected !== sha256)
      throw damaged({ path: join(this.directory, name), expected, got: sha256, mend: this.#mend });
  }

  get #mend(): string {
    const { origin, name } = this.#located;
    if (origin === "trained") {
      return `take the artefact's folder from a backup, pin another run (medley models use ${name} RUN), or train again (medley train ${name})`;
    }
    if (origin === "hub") return `run "medley models pull ${name}" again`;
    const change =
      this.#located.hashes === undefined
        ? "write its new sha256 into manifest.json"
        : `run "medley models pull ${name}"`;
    return `fetch the model again; if the file was changed on purpose, ${change}`;
  }

  #missing(path: string, cause: unknown): MedleyError {
    return new MedleyError("model_not_found", `the model's file ${path} can't be read`, {
      mend: ["hub", "trained"].includes(this.#located.origin)
        ? this.#mend
        : "fetch the model again, with all its files",
      cause,
    });
  }
}

/** The bytes of a pinned file, hashed again: what changed since it was pinned is not loaded. Blocks its thread. */
export function readPinned(file: PinnedFile): Uint8Array {
  const bytes = readFileSync(file.path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== file.sha256) {
    const mend = "start again: a file of the model changed after it was checked";
    throw damaged({ path: file.path, expected: file.sha256, got: sha256, mend });
  }
  return bytes;
}

async function readWhole(path: string, bytesMax: number): Promise<Uint8Array> {
  await using handle = await open(path);
  const { size } = await handle.stat();
  if (size > bytesMax) throw new Error(`${path} has ${size} bytes, more than ${bytesMax}`);
  return handle.readFile();
}

function hashesOf(manifest: Readonly<Record<string, unknown>> | undefined, directory: string): FileHashes {
  const files = manifest?.files;
  if (files === undefined) return undefined;
  const valid =
    typeof files === "object" &&
    files !== null &&
    Object.values(files).every((one) => /^[0-9a-f]{64}$/.test(String(one?.sha256)));
  if (valid) return files as FileHashes;
  throw new MedleyError(
    "model_damaged",
    `${join(directory, "manifest.json")}: "files" has no sha256 per file`,
    {
      mend: "fetch the model again",
    },
  );
}

function damaged(options: {
  path: string;
  expected: string;
  got: string;
  mend: string;
  cause?: unknown;
}): MedleyError {
  const { path, expected, got, mend, cause } = options;
  return new MedleyError("model_damaged", `${path}: expected sha256 ${expected}, got ${got}`, {
    mend,
    cause,
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is the reader's to check.
function parseJson(bytes: Uint8Array, path: string, mend: string): any {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new MedleyError("model_damaged", `${path} is not JSON`, { mend, cause });
  }
}
