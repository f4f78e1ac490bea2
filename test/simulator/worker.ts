import { strict as assert } from "node:assert";
import { parentPort, workerData } from "node:worker_threads";
import { reportOf } from "./report.ts";
import type { SeedsDone, SeedsTask } from "./run-seeds.ts";
import { simulate } from "./simulate.ts";

/** Whatever asks the machine for time or chance would make a run that no seed repeats. */
function forbidRealTime(): void {
  const forbidden = (): never => {
    throw new Error("the machine's time or chance was asked for in a simulation");
  };
  Object.assign(globalThis, { setTimeout: forbidden, setInterval: forbidden });
  Math.random = forbidden;
  Date.now = forbidden;
  performance.now = forbidden;
}

const { first, last, stride, failuresMax } = workerData as SeedsTask;
assert(parentPort !== null, "it runs as a worker");
forbidRealTime();
let seeds = 0;
const failures: SeedsDone["failures"][number][] = [];
for (let seed = first; seed <= last && failures.length < failuresMax; seed += stride) {
  const outcome = await simulate(seed);
  seeds += 1;
  if (outcome.violation !== null) failures.push({ seed, report: reportOf(outcome) });
}
parentPort.postMessage({ seeds, failures } satisfies SeedsDone);
