import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, RefreshStore } from "@medley/core";
import {
  type CollectionEncoders,
  type PipelineCounters,
  readsSegments,
  refreshRows,
  spreadChanges,
} from "@medley/pipeline";
import type { StageFailure } from "./stages.ts";

export interface RefreshesOptions {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly store: RefreshStore;
  readonly counters: PipelineCounters;
  readonly onStageFailure: (failure: StageFailure) => void;
}

const idleMs = 250;
const faultPauseMsMin = 200;
const faultPauseMsMax = 10_000;

/**
 * Sees to it that rows are encoded anew whose neighbours in a graph changed, until closed. Any number of processes may do so at once.
 *
 * States: working -> idle (nothing waits; looks again after a quarter of a second) -> working; a fault in any of them -> pausing, at
 * most 10 seconds, -> working. `close` ends each after the batch in hand, which has `graceMs`; what is not done by then, or when the
 * process dies, is durable and left to others. Bounds: one transaction of 100 changes, one batch of 100 rows.
 */
export function runRefreshes(options: RefreshesOptions): Consumer {
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

async function run(options: RefreshesOptions, closing: AbortSignal, cutOff: AbortSignal): Promise<void> {
  let failures = 0;
  while (!closing.aborted) {
    try {
      const isIdle = (await step(options, cutOff)) === 0;
      failures = 0;
      if (isIdle) await sleepUnless(closing, idleMs);
    } catch (error) {
      if (cutOff.aborted) return;
      failures += 1;
      options.onStageFailure({ stage: "embed", lane: "stream", attempt: failures, error });
      const pauseMs = Math.min(faultPauseMsMin * 2 ** (failures - 1), faultPauseMsMax);
      await sleepUnless(closing, pauseMs * (0.5 + Math.random() / 2));
    }
  }
}

/** How much there was to do. */
async function step({ collections, ...ports }: RefreshesOptions, signal: AbortSignal): Promise<number> {
  let done = await spreadChanges(ports);
  for (const opened of collections.values()) {
    if (opened.collection.spaces.some(readsSegments)) done += await refreshRows({ ...ports, opened }, signal);
  }
  return done;
}

async function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
