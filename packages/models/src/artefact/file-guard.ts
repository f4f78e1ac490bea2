import { randomUUID } from "node:crypto";
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";

interface Holder {
  /** Tells one guard from the next of the same process. */
  readonly token: string;
  readonly pid: number;
  readonly host: string;
  /** Tells a process from a later one of the same number; null where the system doesn't say. */
  readonly startedAt: string | null;
}

/** Whoever has a guard has it for milliseconds. */
const waitMsMaxDefault = 10_000;
/** Between tries; drawn anew each time, so that those who wait don't come all at once. */
const [retryMsMin, retryMsMax] = [2, 20];
/** How many heirs of one guard may have been killed one after the other. */
const heirsMax = 3;

/**
 * Does something to a file that one process, and one call of it, does at a time: for a read and the write that follows from it. While it
 * lasts there is `<path>.guard`, which says whose it is; that of a process that was killed is taken over. The store's process lock refuses
 * where this waits, and lies beyond a border: core, below both, does no I/O. Bound: `waitMsMax`, then `lock_busy`. Not for two machines
 * that share a folder: a guard that another host left has to be deleted by hand. Throws `data_not_writable`, and what `work` throws.
 */
export async function guarded<Result>(
  path: string,
  work: () => Promise<Result>,
  { waitMsMax = waitMsMaxDefault } = {},
): Promise<Result> {
  const guard = `${path}.guard`;
  const deadlineMs = performance.now() + waitMsMax;
  await mkdir(dirname(path), { recursive: true }).catch((cause) => notWritable(guard, cause));
  while (!(await taken(guard, heirsMax).catch((cause) => notWritable(guard, cause)))) {
    if (performance.now() > deadlineMs) throw busy(path, guard);
    await sleep(retryMsMin + Math.random() * (retryMsMax - retryMsMin));
  }
  try {
    return await work();
  } finally {
    await rm(guard, { force: true });
  }
}

/** Whether the guard is this call's now. */
async function taken(guard: string, heirs: number): Promise<boolean> {
  const own: Holder = {
    ...{ token: randomUUID(), pid: process.pid, host: hostname() },
    startedAt: processStart(process.pid),
  };
  try {
    create(guard, own);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const dead = readHolder(guard);
  if (dead === null || isAlive(dead) || heirs === 0) return false;
  // Of those who see that its process is gone one is the heir. Removing it would not do: by then it may be another's.
  const inheritance = `${guard}.${dead.token}`;
  if (!(await taken(inheritance, heirs - 1))) return false;
  try {
    if (readHolder(guard)?.token !== dead.token) return false;
    const draft = `${guard}.${own.token}`;
    await writeFile(draft, JSON.stringify(own));
    await rename(draft, guard);
    return true;
  } finally {
    await rm(inheritance, { force: true });
  }
}

/** Throws `EEXIST` where it is there. Whoever reads half of it takes it for held. */
function create(guard: string, own: Holder): void {
  const handle = openSync(guard, "wx");
  try {
    writeFileSync(handle, JSON.stringify(own));
  } catch (error) {
    rmSync(guard, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
}

function readHolder(guard: string): Holder | null {
  try {
    return JSON.parse(readFileSync(guard, "utf8")) as Holder;
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

function busy(path: string, guard: string): MedleyError {
  const holder = readHolder(guard);
  const where = holder?.host === hostname() ? "" : ` on ${holder?.host}`;
  const who = holder === null ? "another process" : `process ${holder.pid}${where}`;
  return new MedleyError("lock_busy", `${path} is being written by ${who}`, {
    mend: `try again; delete ${guard} if you are sure that it is gone`,
  });
}

function notWritable(guard: string, cause: unknown): never {
  throw new MedleyError("data_not_writable", `${guard} can't be written: ${(cause as Error).message}`, {
    mend: "make its folder writable, and see that the disk is not full",
    cause,
  });
}
