import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer } from "@medley/core";

export interface WorkLoopOptions {
  /** Does some of what waits; resolves to how much that was. Aborted: it is to end without an effect. */
  readonly step: (signal: AbortSignal) => Promise<number>;
  readonly idleMs: number;
  /** While nothing comes, twice as long each time, up to this. Default: always `idleMs`. */
  readonly idleMsMax?: number;
  /** `failures`: in a row, with this one. */
  readonly onFault: (error: unknown, failures: number) => void;
}

const faultPauseMsMin = 200;
const faultPauseMsMax = 10_000;

/**
 * Does what waits in the database, until closed.
 *
 * States: working -> idle (nothing waits; looks again after a while) -> working; a fault in any of them -> pausing, at most 10 seconds,
 * -> working. `close` ends each after the step in hand, which has `graceMs`; what is not done by then is left to others.
 */
export function runWorkLoop(options: WorkLoopOptions): Consumer {
  const closing = new AbortController();
  const cutOff = new AbortController();
  const running = run(options, closing.signal, cutOff.signal);
  return {
    async close({ graceMs }) {
      closing.abort();
      const expiry = new AbortController();
      const grace = sleep(graceMs, undefined, { signal: expiry.signal }).catch(() => {});
      await Promise.race([running, grace]);
      expiry.abort();
      cutOff.abort();
      await running;
    },
  };
}

async function run(
  { step, idleMs, idleMsMax = idleMs, onFault }: WorkLoopOptions,
  closing: AbortSignal,
  cutOff: AbortSignal,
): Promise<void> {
  let failures = 0;
  let pauseMs = idleMs;
  while (!closing.aborted) {
    try {
      const isIdle = (await step(cutOff)) === 0;
      failures = 0;
      if (isIdle) await sleepUnless(closing, pauseMs);
      pauseMs = isIdle ? Math.min(2 * pauseMs, idleMsMax) : idleMs;
    } catch (error) {
      if (cutOff.aborted) return;
      failures += 1;
      onFault(error, failures);
      const faultPauseMs = Math.min(faultPauseMsMin * 2 ** (failures - 1), faultPauseMsMax);
      await sleepUnless(closing, faultPauseMs * (0.5 + Math.random() / 2));
    }
  }
}

async function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
