export const stages = ["produce", "embed", "index"] as const;
export type Stage = (typeof stages)[number];

/** A record that can't be processed, kept whole with its reason. */
export interface DeadLetter {
  readonly collection: string;
  /** Null where the input has no readable id. */
  readonly recordId: string | null;
  /** Null where none was given yet. */
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
}

export interface StoredDeadLetter extends DeadLetter {
  readonly deadLetterId: number;
  /** How often it has come: more than once where a replay failed again. */
  readonly failures: number;
  readonly createdAtMs: number;
  readonly replayedAtMs: number | null;
}
