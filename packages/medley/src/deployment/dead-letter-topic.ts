import { type DeadLetter, MedleyError, type Stage } from "@medley/core";
import { type KafkaConnection, type NewMessage, openTopicWriter, type TopicWriter } from "@medley/transport";
import type { KafkaSettings } from "../config/settings.ts";

/** Null where none is configured. */
export function openDeadLetterTopic(
  kafka: KafkaSettings | null,
  resources: AsyncDisposableStack,
): DeadLetterTopic | null {
  if (kafka === null || kafka.deadLetterTopic === null) return null;
  const { brokers, client, tls, login, deadLetterTopic: topic } = kafka;
  return resources.use(new DeadLetterTopic({ connection: { brokers, client, tls, login }, topic }));
}

export interface DeadLetterTopicOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
}

/**
 * Sends dead letters to a topic, for whatever watches one as Kafka Connect fills it. It is written before the table, so the
 * topic has every letter of the table; one may be there twice. Opened with the first letter: most processes have none.
 */
export class DeadLetterTopic implements AsyncDisposable {
  readonly #options: DeadLetterTopicOptions;
  #writer: Promise<TopicWriter> | null = null;

  constructor(options: DeadLetterTopicOptions) {
    this.#options = options;
  }

  /** Resolves when all are durable. Throws `transport_unavailable` or `overloaded`: trying again is safe. */
  async send(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    const writer = await this.#open();
    // Each by itself, so that one that is too long leaves the others alone; the writer puts them together again.
    await Promise.all(letters.map((letter) => sendLetter(writer, this.#options.topic, letter)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const opening = this.#writer;
    this.#writer = null;
    const writer = await opening?.catch(() => null);
    await writer?.close();
  }

  async #open(): Promise<TopicWriter> {
    const { connection } = this.#options;
    this.#writer ??= openTopicWriter({ connection });
    try {
      return await this.#writer;
    } catch (error) {
      this.#writer = null;
      throw error;
    }
  }
}

/** What is longer than the topic takes goes without its payload, which the table has. */
async function sendLetter(writer: TopicWriter, topic: string, letter: DeadLetter): Promise<void> {
  try {
    await writer.send(topic, [messageOf(letter)]);
  } catch (error) {
    if (!(error instanceof MedleyError) || error.code !== "body_too_large") throw error;
    const bytes = letter.payload.byteLength;
    const message = messageOf({ ...letter, payload: new Uint8Array() });
    await writer.send(topic, [
      { ...message, headers: { ...message.headers, "medley.omitted.bytes": String(bytes) } },
    ]);
  }
}

/** Of Connect's `Stage`: the converter that reads, the transformation in between, the task that writes. */
const connectStages = {
  produce: "VALUE_CONVERTER",
  embed: "TRANSFORMATION",
  index: "TASK_PUT",
} as const satisfies Record<Stage, string>;

/**
 * A letter as Kafka Connect writes one, so that what reads its dead letter queues reads these: its headers (KIP-298,
 * `DeadLetterQueueReporter`), the record's id as key, and the payload as it came. What Connect has no name for is in headers of
 * Medley's own.
 */
export function messageOf(letter: DeadLetter): NewMessage {
  const [, topic, partition, offset] = topicSource.exec(letter.source) ?? [];
  const headers = {
    "__connect.errors.topic": topic,
    "__connect.errors.partition": partition,
    "__connect.errors.offset": offset,
    "__connect.errors.connector.name": `medley-${letter.collection}`,
    "__connect.errors.task.id": "0",
    "__connect.errors.stage": connectStages[letter.stage],
    "__connect.errors.class.name": `medley.${letter.stage}`,
    "__connect.errors.exception.class.name": letter.code,
    "__connect.errors.exception.message": letter.reason,
    "medley.collection": letter.collection,
    "medley.stage": letter.stage,
    "medley.version": letter.version?.toString(),
    "medley.source": letter.source,
    "medley.run": letter.runId ?? undefined,
    "medley.attempt": String(letter.attempt),
    traceparent: letter.trace ?? undefined,
  };
  const given = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { key: letter.recordId, value: letter.payload, headers: Object.fromEntries(given) };
}

/** Where a record of a topic says it is from: `orders[3]@1042`. */
const topicSource = /^([\w.-]+)\[(\d+)\]@(\d+)$/;
