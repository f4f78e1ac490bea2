import type { Consumer, MedleyError } from "@medley/core";
import type { KafkaConnection } from "./connection.ts";
import type { TopicMessage } from "./topic-message.ts";

export interface ConsumeTopicsOptions {
  readonly connection: KafkaConnection;
  readonly topics: readonly string[];
  /** The consumer group: partitions are shared out among its members, offsets are kept under its name. */
  readonly group: string;
  /**
   * Takes messages of one partition in order; the next ones of that partition come when it has resolved. Resolves when their
   * effects are durable. After a rejection the same messages come again, with backoff, for as long as it takes. The signal
   * aborts when the partition is no longer this process's: what comes of it then is not committed, and should not go on.
   */
  receive(messages: readonly TopicMessage[], signal: AbortSignal): Promise<void>;
  /** Of all partitions together, fetched and not yet committed. */
  readonly messagesInFlightMax: number;
  /** Messages of one call of `receive`. */
  readonly batchMessagesMax: number;
  /** Faults that are being got over, for logs. */
  readonly onFault: (fault: MedleyError) => void;
  /** Where the group has no offset yet: from the first message that is kept, or from what comes next. */
  readonly fromBeginning: boolean;
}

/**
 * Consumes topics as a member of a group, at least once. Offsets are committed up to the first message that is not done.
 * Throws `transport_unavailable` where the brokers can't be reached or a topic does not exist; later faults go to `onFault`,
 * and it goes on when they are over.
 */
export async function consumeTopics(options: ConsumeTopicsOptions): Promise<Consumer> {
  throw new Error(`to come: ${options.group}`);
}
