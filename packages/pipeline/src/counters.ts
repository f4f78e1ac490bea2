import { type Lane, type OutcomeCounts, type Stage, stages } from "@medley/core";
import { Histogram } from "./histogram.ts";

/** What a stage did since it started, in records. What is delivered again is counted again. */
export interface StageCounters {
  received: number;
  /** Handed on to the next stage, which is durable there. */
  sent: number;
  /** At `produce`: answered to their sender, or kept as dead letters where there is none to answer to. */
  rejected: number;
  /** At `index`: rows written, or found written at that version. */
  indexed: number;
  /** As `indexed`, of deletes. */
  tombstoned: number;
  /** Records overtaken by a newer version of the same id. */
  superseded: number;
  deadLetters: number;
  /** Of `rejected` and `deadLetters`, by error code: at most as many entries as `errorTable` has. */
  readonly failedByCode: Map<string, number>;
}

/** A stage's packets of one lane. */
export interface PacketCounters {
  /** From receiving a packet until its effects are durable; of those that failed nothing. */
  readonly seconds: Histogram;
  /** Records per packet: how full they are. */
  readonly records: Histogram;
  /** Deliveries that failed: they come again. */
  failed: number;
}

/** Segments by how they came to be; only `encoded` ones cost an encoder's work. */
export interface SegmentCounters {
  encoded: number;
  /** Of `encoded`: by an encoder that runs a model. */
  encodedByModel: number;
  /** Copied from the row: neither the input nor the encoder changed. */
  reused: number;
  /** The field was missing. */
  empty: number;
}

/** What came of records whose neighbours changed. */
export interface RefreshCounters {
  /** Of rows whose edges or features changed. */
  changes: number;
  /** Of `changes`: with more records around them than are taken, so that not all hear of it. */
  cut: number;
  /** Rows with a segment encoded anew. */
  written: number;
  /** What their neighbours say was in their segments already. */
  unchanged: number;
  /** Segments that could not be encoded anew: they stay as they were. */
  failed: number;
}

/** All that the stages of a process count. Of fixed size: no label follows from what a record holds. */
export interface PipelineCounters {
  readonly stages: Readonly<Record<Stage, StageCounters>>;
  readonly packets: Readonly<Record<Stage, Readonly<Record<Lane, PacketCounters>>>>;
  readonly segments: SegmentCounters;
  readonly refreshes: RefreshCounters;
  /** Seconds from `acceptedAtMs` until a record was indexed or tombstoned. */
  readonly freshnessSeconds: Readonly<Record<Lane, Histogram>>;
}

const stageSecondsBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];
const packetRecordsBounds = [1, 2, 5, 10, 20, 40, 60, 80, 99, 100];
// Streams are fresh within seconds, backfills may wait for hours.
const freshnessBounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400];

export function pipelineCounters(): PipelineCounters {
  const perStage = <Value>(make: () => Value) =>
    Object.fromEntries(stages.map((stage) => [stage, make()])) as Record<Stage, Value>;
  return {
    stages: perStage(stageCounters),
    packets: perStage(() => ({ stream: packetCounters(), backfill: packetCounters() })),
    segments: { encoded: 0, encodedByModel: 0, reused: 0, empty: 0 },
    refreshes: { changes: 0, cut: 0, written: 0, unchanged: 0, failed: 0 },
    freshnessSeconds: { stream: new Histogram(freshnessBounds), backfill: new Histogram(freshnessBounds) },
  };
}

function stageCounters(): StageCounters {
  return {
    ...{ received: 0, sent: 0, rejected: 0, indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 },
    failedByCode: new Map(),
  };
}

function packetCounters(): PacketCounters {
  return {
    seconds: new Histogram(stageSecondsBounds),
    records: new Histogram(packetRecordsBounds),
    failed: 0,
  };
}

export function countFailures(counters: StageCounters, failures: readonly { readonly code: string }[]): void {
  for (const { code } of failures) {
    counters.failedByCode.set(code, (counters.failedByCode.get(code) ?? 0) + 1);
  }
}

export const noOutcomes: OutcomeCounts = Object.freeze({
  indexed: 0,
  tombstoned: 0,
  superseded: 0,
  deadLetters: 0,
});

export function addOutcomes(a: OutcomeCounts, b: Partial<OutcomeCounts>): OutcomeCounts {
  return {
    indexed: a.indexed + (b.indexed ?? 0),
    tombstoned: a.tombstoned + (b.tombstoned ?? 0),
    superseded: a.superseded + (b.superseded ?? 0),
    deadLetters: a.deadLetters + (b.deadLetters ?? 0),
  };
}

/** Records that came to an end, whichever. */
export function settledOf({ indexed, tombstoned, superseded, deadLetters }: OutcomeCounts): number {
  return indexed + tombstoned + superseded + deadLetters;
}
