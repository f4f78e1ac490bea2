import { setTimeout as sleep } from "node:timers/promises";
import { MedleyError } from "@medley/core";

const overloadPauseMs = 200;

/** A full lane slows the reading: nothing is dropped. False: asked to stop while waiting for room. */
export async function sendWhenRoom(signal: AbortSignal, attempt: () => Promise<void>): Promise<boolean> {
  for (;;) {
    try {
      await attempt();
      return true;
    } catch (error) {
      if (!(error instanceof MedleyError) || error.code !== "overloaded") throw error;
      if (signal.aborted) return false;
      await sleep(overloadPauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
