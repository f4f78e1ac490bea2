import { randomUUID } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { MedleyError } from "@medley/core";

/** Of what this Medley writes; a folder with a higher number is refused. */
const formatVersion = 1;

export interface DataFolder {
  /** Where the engine keeps its files. */
  readonly engineFolder: string;
  /** To be called once the engine has made its files: before that a broken start is begun anew. */
  markReady(): void;
  release(): void;
}

interface Lock {
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one of the same number; null where the system doesn't say. */
  readonly startedAt: string | null;
}

/**
 * Takes the data folder for this process, and makes it where there is none. In it: `lock` (who has it open), `format`
 * (a number), `postgres` (the engine's files), `unfinished` (while these are made for the first time).
 *
 * Throws `MedleyError` `data_in_use`, `data_not_writable` or `data_too_new`.
 */
export function takeDataFolder(dataDir: string): DataFolder {
  const engineFolder = join(dataDir, "postgres");
  const unfinished = join(dataDir, "unfinished");
  const lock = join(dataDir, "lock");
  try {
    mkdirSync(dataDir, { recursive: true });
    takeLock(dataDir, lock);
  } catch (error) {
    throw asNotWritable(error, dataDir);
  }
  try {
    checkFormat(dataDir);
    if (existsSync(unfinished)) rmSync(engineFolder, { recursive: true, force: true });
    if (!existsSync(engineFolder)) writeFileSync(unfinished, "");
    writeFileSync(join(dataDir, "format"), `${formatVersion}\n`);
  } catch (error) {
    unlinkSync(lock);
    throw asNotWritable(error, dataDir);
  }
  return {
    engineFolder,
    markReady: () => rmSync(unfinished, { force: true }),
    release: () => rmSync(lock, { force: true }),
  };
}

function takeLock(dataDir: string, path: string): void {
  const own: Lock = { pid: process.pid, host: hostname(), startedAt: processStart(process.pid) };
  // Written aside and linked, so that nobody ever reads half a lock.
  const draft = join(dataDir, `lock-${randomUUID()}`);
  writeFileSync(draft, JSON.stringify(own));
  try {
    for (let attempt = 1; attempt <= 3; attempt++) {
      try {
        linkSync(draft, path);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const holder = readLock(path);
      if (holder !== null && isAlive(holder)) throw inUse(dataDir, path, holder);
      rmSync(path, { force: true });
    }
    throw new MedleyError(
      "data_in_use",
      `several processes try to open the data folder ${dataDir} right now`,
    );
  } finally {
    unlinkSync(draft);
  }
}

function readLock(path: string): Lock | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Lock;
  } catch {
    return null;
  }
}

function isAlive({ pid, host, startedAt }: Lock): boolean {
  // Another machine or container on the same disk can't be looked into.
  if (host !== hostname()) return true;
  if (startedAt !== processStart(pid)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Field 22 of Linux's process status: clock ticks from the machine's start to the process's. */
function processStart(pid: number): string | null {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return status.slice(status.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

function inUse(dataDir: string, path: string, { pid, host }: Lock): MedleyError {
  const where = host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`;
  return new MedleyError("data_in_use", `the data folder ${dataDir} is open in ${where}`, {
    mend: `stop it, use another data folder, or delete ${path} if you are sure that it is gone`,
  });
}

function checkFormat(dataDir: string): void {
  const path = join(dataDir, "format");
  if (!existsSync(path)) return;
  const found = Number(readFileSync(path, "utf8"));
  if (found <= formatVersion) return;
  throw new MedleyError(
    "data_too_new",
    `the data folder ${dataDir} has format ${found}; this Medley reads up to ${formatVersion}`,
    { mend: "use the newer Medley that wrote it, or another data folder" },
  );
}

const notWritableCodes = new Set(["EACCES", "EPERM", "EROFS", "ENOTDIR", "EEXIST", "ENOSPC", "EDQUOT"]);

function asNotWritable(error: unknown, dataDir: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof MedleyError || code === undefined || !notWritableCodes.has(code)) return error;
  return new MedleyError("data_not_writable", `the data folder ${dataDir} can't be written (${code})`, {
    mend: "give this user the right to write it, or configure another folder",
    cause: error,
  });
}
