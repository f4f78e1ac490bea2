import { setTimeout as wait } from "node:timers/promises";

/** Time as an input: tests bring one that passes at once. */
export interface Time {
  /** Milliseconds that only grow; they say nothing of the date. */
  nowMs(): number;
  /** Rejects with an `AbortError` where the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const processTime: Time = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }),
};
