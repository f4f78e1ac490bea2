import type { OutcomeCounts, Stage } from "@medley/core";

/** What a stage did since it started; every stage counts the same things, so that no two drift apart. */
export interface StageCounters {
  received: number;
  sent: number;
  deadLetters: number;
  /** Records overtaken by a newer version of the same id. */
  superseded: number;
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

export interface PipelineCounters {
  readonly stages: Record<Stage, StageCounters>;
  readonly segments: SegmentCounters;
}

export function pipelineCounters(): PipelineCounters {
  const stage = (): StageCounters => ({ received: 0, sent: 0, deadLetters: 0, superseded: 0 });
  return {
    stages: { produce: stage(), embed: stage(), index: stage() },
    segments: { encoded: 0, encodedByModel: 0, reused: 0, empty: 0 },
  };
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
