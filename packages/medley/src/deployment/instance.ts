import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How other commands reach the process that has the data folder open. */
export interface Instance {
  readonly pid: number;
  readonly connectionString: string;
  /** Null where it serves no HTTP (a backfill that runs alone). */
  readonly httpUrl: string | null;
}

const fileName = "instance.json";

export function writeInstance(dataDir: string, instance: Instance): void {
  writeFileSync(join(dataDir, fileName), `${JSON.stringify(instance)}\n`);
}

export function removeInstance(dataDir: string): void {
  rmSync(join(dataDir, fileName), { force: true });
}

/** Null where none is written, or one that can't be read. */
export function readInstance(dataDir: string): Instance | null {
  try {
    return JSON.parse(readFileSync(join(dataDir, fileName), "utf8")) as Instance;
  } catch {
    return null;
  }
}
