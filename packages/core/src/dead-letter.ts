export const stages = ["produce", "embed", "index"] as const;
export type Stage = (typeof stages)[number];

/** A record that can't be processed, kept whole with its reason. */
export interface DeadLetter {
  readonly collection: string;
  /** Null where the input has no readable id. */
  readonly recordId: string | null;
  /** What it had when it came; null where none was given, so that a replay takes the time it was kept. */
  readonly version: bigint | null;
  readonly stage: Stage;
  /** An error code of `errorTable`. */
  readonly code: string;
  readonly reason: string;
  /** The whole input as it came: the line of a file, or the record as JSON. */
  readonly payload: Uint8Array;
  /** `films.csv:17`, `http`. */
  readonly source: string;
  readonly runId: string | null;
  /** The delivery at which it was given up: 1 where trying again was no use. */
  readonly attempt: number;
  /** W3C `traceparent` of what it came with. */
  readonly trace: string | null;
}

export interface StoredDeadLetter extends DeadLetter {
  readonly deadLetterId: number;
  /** How often it has come: more than once where a replay failed again. */
  readonly failures: number;
  readonly createdAtMs: number;
  readonly replayedAtMs: number | null;
}
