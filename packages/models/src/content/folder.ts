import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open, readlink, realpath } from "node:fs/promises";
import { isAbsolute, join, relative, sep } from "node:path";
import { MedleyError } from "@medley/core";
import { Refused, tooLarge } from "./faults.ts";

/** Not followed: a link put in after the check. Not waited for: a FIFO without a writer. Some are missing on Windows. */
const openFlags =
  constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);

const correctPath = "correct the path in the record; paths are relative to the folder and may not leave it";

/**
 * The bytes of the regular file `path` under `folder`. Symbolic links are followed as long as they stay inside. What was
 * opened is compared with what was checked, so that swapping a folder for a link in between gains nothing. Hard links
 * can't be told apart from files, so only those who are trusted may write into the folder. Throws `Refused`, whose messages
 * don't repeat the path; `encoder_unavailable` where the machine is short of handles or memory.
 */
export async function readUnder(
  folder: string,
  path: string,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (path.includes("\u0000")) throw new Refused("the path contains U+0000", correctPath);
  // Also where it would come back in: `../shoes/1.jpg` says where the folder is.
  if (isAbsolute(path) || path.split(/[/\\]/).includes("..")) throw leaves();
  const root = await realpath(folder).catch((error: NodeJS.ErrnoException) => {
    throw new Refused(
      `"from.folder" can't be read (${error.code})`,
      "create the folder, or correct the configuration",
    );
  });
  try {
    const real = await realpath(join(root, path));
    if (!isInside(root, real)) throw leaves();
    // Before it is opened: opening some devices has effects.
    checkKind(await lstat(real, { bigint: true }));
    await using file = await open(real, openFlags);
    const opened = await file.stat({ bigint: true });
    checkKind(opened);
    if (!(await isAt(file, opened, real))) throw leaves();
    if (opened.size > bytesMax) throw tooLarge("the file", bytesMax);
    return await readAll(file, Number(opened.size));
  } catch (error) {
    throw fileFault(error);
  }
}

function leaves(): Refused {
  return new Refused('the path leads out of "from.folder"', correctPath);
}

function isInside(root: string, real: string): boolean {
  const way = relative(root, real);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function checkKind(status: BigIntStats): void {
  if (!status.isFile()) throw new Refused("the path names no regular file", correctPath);
  // Files of /proc and the like have no size, and no end.
  if (status.size === 0n) throw new Refused("the file is empty", "replace the file, then replay the record");
}

/** Whether `file` was opened at `real`, through no link. Linux knows; elsewhere the path is walked again, which leaves a gap. */
async function isAt(file: FileHandle, opened: BigIntStats, real: string): Promise<boolean> {
  const known = await readlink(`/proc/self/fd/${file.fd}`).catch(() => null);
  if (known !== null) return known === real;
  const [again, now] = [await realpath(real), await lstat(real, { bigint: true })];
  return again === real && now.dev === opened.dev && now.ino === opened.ino;
}

async function readAll(file: FileHandle, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(bytes, length, size - length, length);
    if (bytesRead === 0) throw new Refused("the file shrank while it was read", "replay the record");
    length += bytesRead;
  }
  return bytes;
}

/** What a file system says is the record's own fault, unless the machine is short of something: then all would fail. */
function fileFault(error: unknown): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new Refused(
        'there is no such file under "from.folder"',
        "put the file there, or correct the path; then replay the record",
      );
    case "ELOOP":
      return leaves();
    case "ENAMETOOLONG":
    case "EINVAL":
      return new Refused("the path is no valid one", correctPath);
    case "EACCES":
    case "EPERM":
      return new Refused(
        "the file may not be read by this process",
        "correct its permissions, then replay the record",
      );
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return new MedleyError("encoder_unavailable", `no more files can be opened just now (${code})`);
    case undefined:
      return error;
    default:
      return new Refused(`the file can't be read (${code})`, "see to the disk, then replay the record");
  }
}
