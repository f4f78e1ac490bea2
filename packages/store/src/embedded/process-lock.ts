import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one of the same number; null where the system doesn't say. */
  readonly startedAt: string | null;
}

const triesMax = 3;

/**
 * Makes a file that says that this process has something, until it is removed or the process has ended. Returns null where it is this
 * process's now, else who has it, for people.
 */
export function takeProcessLock(path: string): string | null {
  const own: Holder = { pid: process.pid, host: hostname(), startedAt: processStart(process.pid) };
  // Written aside and linked, so that nobody ever reads half a lock.
  const draft = `${path}-${randomUUID()}`;
  writeFileSync(draft, JSON.stringify(own));
  try {
    for (let attempt = 1; attempt <= triesMax; attempt++) {
      try {
        linkSync(draft, path);
        return null;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const holder = readHolder(path);
      if (holder !== null && isAlive(holder)) return described(holder);
      rmSync(path, { force: true });
    }
    return "a process that came at the same moment";
  } finally {
    unlinkSync(draft);
  }
}

function described({ pid, host }: Holder): string {
  return host === hostname() ? `process ${pid}` : `process ${pid} on ${host}`;
}

function readHolder(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    return null;
  }
}

function isAlive({ pid, host, startedAt }: Holder): boolean {
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
