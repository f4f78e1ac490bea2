/** A message as a topic holds it. */
export interface TopicMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  /** Null: a tombstone. */
  readonly value: Uint8Array | null;
  /** As UTF-8; of a header given several times the last one. */
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970, of the producer or the broker as the topic is set up. */
  readonly timestampMs: number;
}

/** `orders[3]@17`: partition 3, offset 17. */
export function messageName({ topic, partition, offset }: TopicMessage): string {
  return `${topic}[${partition}]@${offset}`;
}
