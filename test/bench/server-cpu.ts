import { readFileSync } from "node:fs";

/** Milliseconds that a process of the server has run, by Linux; 0 elsewhere, or where the server is. */
export function cpuMsOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  } catch {
    return 0;
  }
}
