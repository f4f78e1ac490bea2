import { spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ingest, withPipeline } from "../embedded-pipeline.ts";
import { delaysDuring } from "../event-loop-delay.ts";
import { films } from "../films.ts";
import type { Measurement } from "../measurement.ts";

const filmsCount = 1_000;
const idleMs = 1_000;
const goalDelayMs = 20;
const goalGigabytes = 1.2;

/** That the process stays answerable while its workers are saturated, and small. */
export async function run(): Promise<Measurement[]> {
  return [await eventLoopDelay(), await demoMemory()];
}

function eventLoopDelay(): Promise<Measurement> {
  const picked = films(filmsCount);
  return withPipeline({}, async (deployment) => {
    const idle = await delaysDuring(() => sleep(idleMs));
    const busy = await delaysDuring(() => ingest(deployment, picked));
    // The monitor's timer counts its own interval: what an idle loop shows is not delay.
    const p99Ms = busy.p99Ms - idle.p50Ms;
    return {
      name: "event-loop delay, p99, ms",
      value: p99Ms,
      goal: `at most ${goalDelayMs}`,
      met: p99Ms <= goalDelayMs,
      detail:
        `main thread while ${filmsCount} films pass the embedded pipeline on ${availableParallelism()} session threads; ` +
        `p50 ${(busy.p50Ms - idle.p50Ms).toFixed(1)}, longest ${(busy.maxMs - idle.p50Ms).toFixed(1)} ms; ` +
        `less ${idle.p50Ms.toFixed(1)} ms that an idle loop shows`,
    };
  });
}

// Linux counts this from the program's start; `maxRSS` would begin with what the process that started it held.
const reportPeak = `import { readFileSync, writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
if (isMainThread) process.on("exit", () => writeSync(3, readFileSync("/proc/self/status", "utf8")));`;

async function demoMemory(): Promise<Measurement> {
  const name = "peak memory of the demo, GB";
  const goal = `at most ${goalGigabytes}`;
  const demo = fileURLToPath(new URL("../../../examples/films/demo.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(reportPeak)}`, demo],
    {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      // As `npm run demo` and the `medley` launcher do.
      env: { ...process.env, MALLOC_TRIM_THRESHOLD_: "1048576" },
    },
  );
  const exited = once(child, "exit");
  const [errors, status] = await Promise.all([
    text(child.stderr as NodeJS.ReadableStream),
    text(child.stdio[3] as NodeJS.ReadableStream),
  ]);
  const [exitCode] = await exited;
  if (exitCode !== 0) throw new Error(`the demo ended with ${exitCode}: ${errors.trim().split("\n").at(-1)}`);
  const kilobytes = Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]);
  if (Number.isNaN(kilobytes))
    return { name, value: null, goal, met: null, detail: "needs the /proc of Linux" };
  const value = (kilobytes * 1_024) / 1e9;
  const detail =
    "examples/films/demo.ts, 2,500 films: the resident set of its one process, all threads, at its largest";
  return { name, value, goal, met: value <= goalGigabytes, detail };
}
