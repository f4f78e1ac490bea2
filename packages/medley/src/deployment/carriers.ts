import type { Consumer } from "@medley/core";
import { carryRows, type PipelineCounters } from "@medley/pipeline";
import type { PostgresStore } from "@medley/store";
import type { Carriage } from "./generations.ts";
import type { StageFailure } from "./stages.ts";
import { runWorkLoop } from "./work-loop.ts";

export interface CarriersOptions {
  /** Asked before each round. */
  readonly carriages: () => readonly Carriage[];
  readonly store: PostgresStore;
  readonly counters: PipelineCounters;
  readonly onStageFailure: (failure: StageFailure) => void;
}

// As long as writers may have to wait in a switch for what they wrote last: longer only where little is written.
const idleMs = 50;
const idleMsMax = 250;
// One reads and writes while the other encodes.
const carriersCount = 2;

/**
 * Carries rows between the generations of collections that have two, until closed. Any number of processes may do so at once; what one
 * leaves, or dies over, is durable and taken by others. Bound: two batches of 100 rows.
 */
export function runCarriers({ carriages, onStageFailure, ...ports }: CarriersOptions): readonly Consumer[] {
  const step = async (signal: AbortSignal) => {
    let done = 0;
    for (const carriage of carriages()) done += await carryRows({ ...ports, ...carriage }, signal);
    return done;
  };
  const onFault = (error: unknown, attempt: number) =>
    onStageFailure({ stage: "embed", lane: "backfill", attempt, error });
  return Array.from({ length: carriersCount }, () => runWorkLoop({ step, idleMs, idleMsMax, onFault }));
}
