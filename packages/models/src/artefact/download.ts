import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, rename, rm, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";
import { type HubClient, type HubFile, reasonOf } from "./hub-client.ts";
import type { LockedFile } from "./lock.ts";

const attemptsMax = 5;
const retryDelayMs = 500;
/** A connection that gave this much was worth it: the count of attempts begins anew. */
const attemptBytesMin = 1 << 20;

/** More came than the file has: the server sent it from its beginning although its rest was asked for. */
class RangeIgnored extends Error {}

export interface DownloadOptions {
  readonly hub: HubClient;
  readonly id: string;
  readonly commit: string;
  /** `models--org--name`. */
  readonly repository: string;
  readonly signal: AbortSignal | undefined;
  /** Bytes that are there now, and were not before; negative where bytes turned out to be wrong. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Brings one file of a repository into the cache, in the layout of huggingface_hub, and answers the hash of its bytes. A file
 * that is there is hashed, not fetched. What an earlier call left of a download (`blobs/….incomplete`) is continued.
 * States: absent, incomplete (bytes may be missing), blob (all there, hash as the hub says), linked from its snapshot.
 * Throws `hub_unavailable` (the incomplete file stays), `model_damaged` where the bytes are not what the hub says.
 */
export async function bringFile(file: HubFile, options: DownloadOptions): Promise<LockedFile> {
  const { repository, commit } = options;
  const name = blobName(file);
  const blob = join(repository, "blobs", name);
  const pointer = join(repository, "snapshots", commit, file.path);
  for (const path of [pointer, blob]) {
    const digest = await digestOf(path, file);
    if (digest === undefined || !matches(file, digest)) continue;
    if (path === blob) await link(blob, pointer);
    options.onBytes(file.bytes);
    return { sha256: digest.sha256, bytes: file.bytes };
  }
  await mkdir(dirname(blob), { recursive: true });
  const digest = await download(file, `${blob}.incomplete`, options);
  await rename(`${blob}.incomplete`, blob).catch((cause) => {
    throw cause.code === "ENOENT" ? twoAtOnce(file, options.id, cause) : cause;
  });
  await link(blob, pointer);
  return { sha256: digest.sha256, bytes: file.bytes };
}

/** As the hub's other tools name it: by the hash the hub knows. */
function blobName({ path, sha256, gitOid }: HubFile): string {
  const name = sha256 ?? gitOid ?? "";
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name)) return name;
  throw new MedleyError("hub_unavailable", `the hub gives no hash of ${path}`, {
    mend: "try again; a mirror (HF_ENDPOINT) must give hashes as the hub does",
  });
}

export interface Digest {
  readonly sha256: string;
  readonly gitOid: string;
  readonly bytes: number;
}

/** Both hashes of a file's bytes, as they come. git's has the length before the bytes. */
class Hashes {
  readonly #sha256: Hash = createHash("sha256");
  readonly #git: Hash;
  bytes = 0;

  constructor(bytesExpected: number) {
    this.#git = createHash("sha1").update(`blob ${bytesExpected}\0`);
  }
  update(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#sha256.update(chunk);
    this.#git.update(chunk);
  }
  digest(): Digest {
    return { sha256: this.#sha256.digest("hex"), gitOid: this.#git.digest("hex"), bytes: this.bytes };
  }
}

/** Whether bytes are what the hub says of the file. */
export function matches(file: HubFile, digest: Digest): boolean {
  if (digest.bytes !== file.bytes) return false;
  return file.sha256 === undefined ? file.gitOid === digest.gitOid : file.sha256 === digest.sha256;
}

export async function digestOf(path: string, file: HubFile): Promise<Digest | undefined> {
  const stats = await stat(path).catch(() => undefined);
  if (!stats?.isFile()) return undefined;
  const hashes = new Hashes(file.bytes);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) hashes.update(chunk);
  return hashes.digest();
}

async function download(file: HubFile, incomplete: string, options: DownloadOptions): Promise<Digest> {
  const { signal, onBytes, id } = options;
  let attempts = 0;
  for (;;) {
    const hashes = await resumable(incomplete, file);
    const before = hashes.bytes;
    onBytes(before);
    try {
      if (hashes.bytes < file.bytes) await append(file, incomplete, hashes, options);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) throw error;
      if (error instanceof RangeIgnored) await rm(incomplete, { force: true });
      onBytes(-hashes.bytes);
      attempts = hashes.bytes - before >= attemptBytesMin ? 1 : attempts + 1;
      if (attempts >= attemptsMax) throw brokeOff(file, id, error);
      await sleep(retryDelayMs * attempts, undefined, signal === undefined ? {} : { signal });
      continue;
    }
    const digest = hashes.digest();
    const size = await stat(incomplete).then(
      (stats) => stats.size,
      (cause) => {
        throw twoAtOnce(file, id, cause);
      },
    );
    // Where another process wrote to the file as well, it is not what came over the line.
    if (matches(file, digest) && size === file.bytes) return digest;
    // Bytes of an earlier try may be the wrong ones; those of one go are the hub's own.
    await rm(incomplete, { force: true });
    onBytes(-digest.bytes);
    if (size !== file.bytes) throw twoAtOnce(file, id);
    if (before === 0) throw wrongBytes(file, digest, id);
  }
}

/** What is there of a file, hashed; nothing where it is more than the file has. */
async function resumable(incomplete: string, file: HubFile): Promise<Hashes> {
  const hashes = new Hashes(file.bytes);
  const stats = await stat(incomplete).catch(() => undefined);
  if (stats === undefined) return hashes;
  if (stats.size > file.bytes) {
    await rm(incomplete, { force: true });
    return hashes;
  }
  for await (const chunk of createReadStream(incomplete, { highWaterMark: 1 << 18 })) hashes.update(chunk);
  return hashes;
}

async function append(
  file: HubFile,
  incomplete: string,
  hashes: Hashes,
  { hub, id, commit, onBytes }: DownloadOptions,
): Promise<void> {
  await using handle = await open(incomplete, "a");
  for await (const chunk of hub.read(id, commit, file, hashes.bytes)) {
    if (hashes.bytes + chunk.length > file.bytes) throw new RangeIgnored();
    await handle.appendFile(chunk);
    hashes.update(chunk);
    onBytes(chunk.length);
  }
  await handle.sync();
  if (hashes.bytes < file.bytes) throw new Error("the connection ended before the file");
}

/** A disk that is full or a folder that is not ours does not get better by trying. */
function isPassing(error: unknown): boolean {
  if (error instanceof MedleyError) return false; // Tried several times already.
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return !["ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS"].includes(code);
}

async function link(blob: string, pointer: string): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  await rm(pointer, { force: true });
  try {
    await symlink(relative(dirname(pointer), blob), pointer);
  } catch {
    await copyFile(blob, pointer); // Windows lets not everyone make links; huggingface_hub copies as well.
  }
}

function brokeOff(file: HubFile, id: string, cause: unknown): MedleyError {
  return new MedleyError("hub_unavailable", `${file.path} of ${id} broke off: ${reasonOf(cause)}`, {
    mend: "try again: it continues where it ended",
    cause,
  });
}

function twoAtOnce(file: HubFile, id: string, cause?: unknown): MedleyError {
  return new MedleyError("hub_unavailable", `another process fetches ${file.path} of ${id} too`, {
    mend: "let it end, then try again",
    cause,
  });
}

function wrongBytes(file: HubFile, digest: Digest, id: string): MedleyError {
  const [expected, got] =
    file.sha256 === undefined
      ? [`git blob ${file.gitOid}`, digest.gitOid]
      : [`sha256 ${file.sha256}`, digest.sha256];
  return new MedleyError("model_damaged", `${file.path} of ${id}: expected ${expected}, got ${got}`, {
    mend: "try again; if it stays so, something between here and the hub changes files",
  });
}
