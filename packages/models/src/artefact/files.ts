import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MedleyError } from "@medley/core";

/** A file and the hash of the bytes it must have. */
export interface PinnedFile {
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

/** What `manifest.json` says of each file; `undefined` for a model without a manifest (any from the hub). */
export type FileHashes = Readonly<Record<string, { readonly sha256: string }>> | undefined;

/**
 * One model's folder. Every file read through it is checked against `manifest.json` where there is one: the bytes
 * that are hashed are the bytes that are used. Throws `model_damaged` for any difference.
 */
export class ModelFiles {
  readonly directory: string;
  readonly #hashes: FileHashes;

  private constructor(directory: string, hashes: FileHashes) {
    this.directory = directory;
    this.#hashes = hashes;
  }

  static async open(directory: string): Promise<ModelFiles> {
    const manifest = parseJson(
      await readIfThere(join(directory, "manifest.json")),
      "manifest.json",
      directory,
    );
    const hashes = manifest?.files as FileHashes;
    const files = new ModelFiles(directory, hashes);
    for (const name of Object.keys(hashes ?? {})) await files.pin(name); // Also those we don't read ourselves.
    return files;
  }

  /** The object in a JSON file, or `undefined` where the model has no such file. */
  async json(name: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    const bytes = await readIfThere(join(this.directory, name));
    if (bytes !== undefined) this.#check(name, createHash("sha256").update(bytes).digest("hex"));
    return parseJson(bytes, name, this.directory);
  }

  /** Hashes a file without holding it, so a session thread can load the same bytes later. */
  async pin(name: string): Promise<PinnedFile> {
    const path = join(this.directory, name);
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) hash.update(chunk);
    } catch (cause) {
      const expected = this.#hashes?.[name]?.sha256;
      if (expected === undefined) throw missing(path, cause);
      throw damaged(path, expected, "no readable file", cause);
    }
    const sha256 = hash.digest("hex");
    this.#check(name, sha256);
    return { path, sha256 };
  }

  #check(name: string, sha256: string): void {
    if (this.#hashes === undefined) return;
    const expected = this.#hashes[name]?.sha256 ?? "a file that manifest.json does not list";
    if (expected !== sha256) throw damaged(join(this.directory, name), expected, sha256);
  }
}

/** The bytes of a pinned file, hashed again: what changed since it was pinned is not loaded. Blocks its thread. */
export function readPinned(file: PinnedFile): Uint8Array {
  const bytes = readFileSync(file.path);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== file.sha256) throw damaged(file.path, file.sha256, sha256);
  return bytes;
}

function damaged(path: string, expected: string, got: string, cause?: unknown): MedleyError {
  return new MedleyError("model_damaged", `${path}: expected sha256 ${expected}, got ${got}`, {
    mend: "fetch the model again; if the file was changed on purpose, write its new sha256 into manifest.json",
    cause,
  });
}

function missing(path: string, cause: unknown): MedleyError {
  return new MedleyError("model_not_found", `the model's file ${path} can't be read`, {
    mend: "fetch the model again, with all its files",
    cause,
  });
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw missing(path, error);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the shape is the reader's to check.
function parseJson(bytes: Uint8Array | undefined, name: string, directory: string): any {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new MedleyError("model_damaged", `${join(directory, name)} is not JSON`, {
      mend: "fetch the model again",
      cause,
    });
  }
}
