import { type Collection, type Consumer, MedleyError, type TopicSource } from "@medley/core";
import { consumeTopics } from "@medley/transport";
import type { KafkaSettings, Settings } from "../config/settings.ts";
import { TopicReceiver, type TopicReceiverPorts } from "./topic-receiver.ts";

export interface TopicIngestOptions {
  readonly ports: TopicReceiverPorts;
  readonly collections: Iterable<Collection>;
  readonly settings: Pick<Settings, "kafka" | "lanePrefix">;
  /** Faults met by consumers, which go on trying. */
  readonly onFault: (fault: MedleyError) => void;
}

export interface ConfiguredTopic {
  readonly collection: Collection;
  readonly source: TopicSource;
  readonly group: string;
}

// Of one source: enough that reading never waits for the lane, little enough to be done within a drain.
const batchMessagesMax = 500;
const messagesInFlightMax = 2_000;

/** Every source of kind `topic`, with its consumer group. */
export function configuredTopics(
  collections: Iterable<Collection>,
  { lanePrefix }: Pick<Settings, "lanePrefix">,
): readonly ConfiguredTopic[] {
  return [...collections].flatMap((collection) =>
    collection.sources.flatMap((source) => {
      if (source.kind !== "topic") return [];
      const group = source.group ?? `${lanePrefix}-${collection.name}-${source.topic}`;
      return [{ collection, source, group }];
    }),
  );
}

/** Throws `usage` where no brokers are configured. */
export function kafkaOf({ kafka }: Pick<Settings, "kafka">, topic: ConfiguredTopic): KafkaSettings {
  if (kafka !== null) return kafka;
  throw new MedleyError(
    "usage",
    `collection ${topic.collection.name} reads topic ${topic.source.topic}, but no Kafka is configured`,
    { mend: "set MEDLEY_KAFKA_BROKERS, or take the source out of the configuration" },
  );
}

/**
 * Consumes the topics that are sources of collections, each in a consumer group of its own: processes that do so share out the
 * partitions. Offsets are committed once the records are in the stream's lane. Throws `usage` where there are such sources and no
 * brokers, and `transport_unavailable` where brokers or topics are missing.
 */
export async function ingestTopics(options: TopicIngestOptions): Promise<Consumer> {
  const { ports, collections, settings, onFault } = options;
  const topics = configuredTopics(collections, settings);
  const consumers: Consumer[] = [];
  const close: Consumer["close"] = async (grace) => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.close(grace)));
  };
  try {
    for (const topic of topics) {
      const { collection, source, group } = topic;
      const receiver = new TopicReceiver(ports, collection, source);
      consumers.push(
        await consumeTopics({
          connection: kafkaOf(settings, topic),
          topics: [source.topic],
          group,
          receive: (messages, signal) => receiver.receive(messages, signal),
          batchMessagesMax,
          messagesInFlightMax,
          fromBeginning: source.from !== "latest",
          onFault,
        }),
      );
    }
  } catch (error) {
    await close({ graceMs: 0 });
    throw error;
  }
  return { close };
}
