import type { Consumer, RefreshStore } from "@medley/core";
import {
  type CollectionEncoders,
  type PipelineCounters,
  readsSegments,
  refreshRows,
  spreadChanges,
} from "@medley/pipeline";
import type { StageFailure } from "./stages.ts";
import { runWorkLoop } from "./work-loop.ts";

export interface RefreshesOptions {
  /** Of every generation that is open; asked before each round. */
  readonly opened: () => readonly CollectionEncoders[];
  readonly store: RefreshStore;
  readonly counters: PipelineCounters;
  readonly onStageFailure: (failure: StageFailure) => void;
}

const idleMs = 250;

/**
 * Sees to it that rows are encoded anew whose neighbours in a graph changed, until closed. Any number of processes may do so at once;
 * what one leaves, or dies over, is durable and taken by others. Bounds: one transaction of 100 changes, one batch of 100 rows.
 */
export function runRefreshes({ onStageFailure, ...options }: RefreshesOptions): Consumer {
  return runWorkLoop({
    step: (signal) => step(options, signal),
    idleMs,
    onFault: (error, attempt) => onStageFailure({ stage: "embed", lane: "stream", attempt, error }),
  });
}

/** How much there was to do. */
async function step(
  { opened, ...ports }: Omit<RefreshesOptions, "onStageFailure">,
  signal: AbortSignal,
): Promise<number> {
  const hearing = opened().filter(({ collection }) => collection.spaces.some(readsSegments));
  if (hearing.length === 0) return 0;
  let done = await spreadChanges(ports);
  for (const generation of hearing) done += await refreshRows({ ...ports, opened: generation }, signal);
  return done;
}
