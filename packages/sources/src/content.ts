import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { access, constants, stat } from "node:fs/promises";
import { basename } from "node:path";
import { MedleyError } from "@medley/core";
import { gunzip, headOf, isGzip, peek, readFileBytes, withoutByteOrderMark } from "./bytes.ts";

/** The bytes of a file or of stdin: unzipped, without a byte order mark. */
export interface Content {
  /** `films.csv`, `stdin`. */
  readonly name: string;
  readonly compressed: boolean;
  /** The first 64 KiB, or less. */
  readonly head: Buffer;
  /** Null where it can be read once only. */
  readonly path: string | null;
  read(): AsyncIterable<Buffer>;
}

export async function stdinContent(stdin: AsyncIterable<Buffer>): Promise<Content> {
  const name = "stdin";
  const raw = await peek(stdin);
  const compressed = isGzip(raw.head);
  const { head, chunks } = await peek(
    withoutByteOrderMark(compressed ? gunzip(raw.chunks) : raw.chunks, name),
  );
  let isRead = false;
  const read = () => {
    assert(!isRead, "stdin can be read once");
    isRead = true;
    return chunks;
  };
  return { name, compressed, head, path: null, read };
}

/** Throws `MedleyError` `source_unreadable`, naming the path as given and the mend. */
export async function fileContent(path: string): Promise<Content> {
  await checkReadable(path);
  const name = basename(path);
  const compressed = isGzip(await headOf(readFileBytes(path)));
  if (!compressed && name.toLowerCase().endsWith(".gz")) {
    throw new MedleyError("source_unreadable", `${path} is not gzip, as its name says`, {
      mend: "get the file again, or take .gz off its name",
    });
  }
  const read = () => {
    const raw = readFileBytes(path);
    return withoutByteOrderMark(compressed ? gunzip(raw) : raw, name);
  };
  return { name, compressed, head: await headOf(read()), path, read };
}

/** Changes with the file: its size, modification time and the sha256 of its first 64 KiB. */
export async function fileFingerprint(path: string): Promise<string> {
  const { size, mtimeMs } = await stat(path);
  const hash = createHash("sha256").update(await headOf(readFileBytes(path)));
  return `${size}-${Math.trunc(mtimeMs)}-${hash.digest("hex")}`;
}

async function checkReadable(path: string): Promise<void> {
  const unreadable = (why: string, mend: string, cause?: unknown) =>
    new MedleyError("source_unreadable", `${path} can't be read: ${why}`, { mend, cause });
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw unreadable("it is a directory", "name a file in it");
    await access(path, constants.R_OK);
  } catch (error) {
    if (error instanceof MedleyError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw unreadable("there is no such file", "check the path", error);
    if (code === "EACCES")
      throw unreadable("permission is denied", "give this user the right to read it", error);
    throw unreadable(String(code), "check the path and the disk", error);
  }
}
