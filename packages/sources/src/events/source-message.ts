/** A message of a topic as its source reads it; what `@medley/transport` consumes is one. */
export interface SourceMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  /** Null: a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

/** Why a message becomes no record; the reason names places and kinds, never contents. */
export interface MessageProblem {
  readonly code: "body_malformed" | "record_invalid";
  readonly reason: string;
}

/** `orders[3]@17`: partition 3, offset 17. */
export function messageName({ topic, partition, offset }: SourceMessage): string {
  return `${topic}[${partition}]@${offset}`;
}
