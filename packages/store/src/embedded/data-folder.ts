import { existsSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import { takeProcessLock } from "./process-lock.ts";

/** Of what this Medley writes; a folder with a higher number is refused. */
const formatVersion = 1;

export interface DataFolder {
  /** Where the engine keeps its files. */
  readonly engineFolder: string;
  /** To be called once the engine has made its files: before that a broken start is begun anew. */
  markReady(): void;
  release(): void;
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
    const holder = takeProcessLock(lock);
    if (holder !== null) throw inUse(dataDir, lock, holder);
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

function inUse(dataDir: string, path: string, holder: string): MedleyError {
  return new MedleyError("data_in_use", `the data folder ${dataDir} is open in ${holder}`, {
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
