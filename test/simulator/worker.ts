import { strict as assert } from "node:assert";
import { parentPort, workerData } from "node:worker_threads";
import { reportOf } from "./report.ts";
import type { SeedsDone, SeedsTask } from "./run-seeds.ts";
import { simulate } from "./simulate.ts";

let asked: Error | null = null;

/** What waits for the machine's time, or asks it for chance, would make a run that no seed repeats. */
function forbidRealTime(): void {
  const forbidden = (): never => {
    // Who asked may get over it.
    asked ??= new Error("a simulation asked the machine for time or chance");
    throw asked;
  };
  Object.assign(globalThis, { setTimeout: forbidden, setInterval: forbidden });
  Math.random = forbidden;
  // Stages measure themselves by these, and decide nothing by them.
  Date.now = () => 0;
  performance.now = () => 0;
}

const { first, last, stride, failuresMax } = workerData as SeedsTask;
assert(parentPort !== null, "it runs as a worker");
forbidRealTime();
let seeds = 0;
const failures: SeedsDone["failures"][number][] = [];
for (let seed = first; seed <= last && failures.length < failuresMax; seed += stride) {
  const outcome = await simulate(seed);
  if (asked !== null) throw asked;
  seeds += 1;
  if (outcome.violation !== null) failures.push({ seed, report: reportOf(outcome) });
}
parentPort.postMessage({ seeds, failures } satisfies SeedsDone);
