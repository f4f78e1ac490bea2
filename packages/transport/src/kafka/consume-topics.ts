import type { Consumer, MedleyError, TopicMessage } from "@medley/core";
import { LogConsumer } from "../log/log-consumer.ts";
import type { LogMessage } from "../log/log-partition.ts";
import { clientOf } from "./client-of.ts";
import { type KafkaConnection, timings } from "./connection.ts";
import { GroupConsumer } from "./group-consumer.ts";
import { requireTopics } from "./require-topics.ts";

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
  /** Of all partitions together, read and not yet done; one read may go over it. */
  readonly messagesInFlightMax: number;
  /** Messages of one call of `receive`. */
  readonly batchMessagesMax: number;
  /** Faults that are being got over, for logs. */
  readonly onFault: (fault: MedleyError) => void;
  /** Where the group has no offset, or one that is no longer kept: the first message there is, or what comes next. */
  readonly fromBeginning: boolean;
}

const batchBytesMax = 4_000_000;
const bytesInFlightMax = 64 * 2 ** 20;

/** A message whose partition is one queue: the next is received when this one is done. */
interface OrderedMessage extends LogMessage {
  readonly message: TopicMessage;
}

/**
 * Consumes topics as a member of a group, at least once. Offsets are committed up to the first message that is not done.
 * Throws `transport_unavailable` where the brokers can't be reached or a topic does not exist; later faults go to `onFault`,
 * and it goes on when they are over.
 */
export async function consumeTopics(options: ConsumeTopicsOptions): Promise<Consumer> {
  const { topics, group, receive, messagesInFlightMax, batchMessagesMax, onFault, fromBeginning } = options;
  const client = await clientOf(options.connection);
  await requireTopics(options.connection, topics);
  const log: LogConsumer<OrderedMessage> = new LogConsumer({
    batchesOf: (ordered) => {
      const messages = ordered.map(({ message }) => message);
      return [{ messages: ordered, receive: (_, signal) => receive(messages, signal) }];
    },
    batchMessagesMax,
    batchBytesMax,
    batchesInFlightMax: Number.MAX_SAFE_INTEGER,
    messagesInFlightMax,
    bytesInFlightMax,
    onFull: (partition) => consumer.pause(partition),
    onRoom: (partition) => consumer.resume(partition),
    onProgress: () => consumer.progressed(),
  });
  const consumer = new GroupConsumer({
    client,
    group,
    topics,
    fromBeginning,
    ...timings,
    log,
    messageOf: orderedMessageOf,
    onFault,
  });
  consumer.start();
  return consumer;
}

function orderedMessageOf(message: TopicMessage): OrderedMessage {
  const { offset, timestampMs, key, value } = message;
  const bytes = (key?.byteLength ?? 0) + (value?.byteLength ?? 0);
  return { offset, timestampMs, bytes, order: "partition", group: "partition", message };
}
