import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";

export interface UntilDoneOptions {
  readonly msMax: number;
  /** What could not be done, and why that may be. */
  readonly failure: { readonly what: string; readonly mend: string };
  readonly signal?: AbortSignal;
}

const pauseMs = 50;

/** Tries what searches and writes under way may keep from happening. Resolves to false when aborted. Throws `store_unavailable`. */
export async function untilDone(
  attempt: () => Promise<boolean>,
  { msMax, failure, signal }: UntilDoneOptions,
): Promise<boolean> {
  const endsAtMs = performance.now() + msMax;
  while (!signal?.aborted) {
    if (await attempt()) return true;
    if (performance.now() > endsAtMs) {
      throw new MedleyError("store_unavailable", failure.what, { mend: failure.mend });
    }
    await sleep(pauseMs);
  }
  return false;
}
