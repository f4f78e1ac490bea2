import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** Every `stride`th seed from `first` to `last`. */
export interface SeedsTask {
  readonly first: number;
  readonly last: number;
  readonly stride: number;
  /** After so many it stops. */
  readonly failuresMax: number;
}

export interface SeedsDone {
  readonly seeds: number;
  readonly failures: readonly { readonly seed: number; readonly report: string }[];
}

/** Runs the seeds `first` to `last` in `threads` threads, each of which stops after three that fail. */
export async function runSeeds(
  { first, last }: { first: number; last: number },
  { threads }: { threads: number },
): Promise<SeedsDone> {
  const run = async (thread: number): Promise<SeedsDone> => {
    const workerData: SeedsTask = { first: first + thread, last, stride: threads, failuresMax: 3 };
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData });
    try {
      // Rejects where the worker throws.
      const [done] = await once(worker, "message");
      return done as SeedsDone;
    } finally {
      await worker.terminate();
    }
  };
  const parts = await Promise.all(Array.from({ length: threads }, (_, thread) => run(thread)));
  return {
    seeds: parts.reduce((sum, { seeds }) => sum + seeds, 0),
    failures: parts.flatMap(({ failures }) => failures),
  };
}
