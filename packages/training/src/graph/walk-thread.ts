import { parentPort, workerData } from "node:worker_threads";
import type { WalkJob, WalkThreadInput } from "./walk-threads.ts";
import { Walker } from "./walks.ts";

// The program of a thread of `WalkThreads`: a job in, its walks out, in order.
const { graph, options } = workerData as WalkThreadInput;
const walker = new Walker(graph, options);
parentPort?.on("message", ({ starts, first }: WalkJob) => {
  const walks = new Int32Array(starts.length * options.length);
  walker.walkAll(starts, first, walks);
  parentPort?.postMessage(walks, [walks.buffer]);
});
