import {
  Admin,
  compatibilityPartitioner,
  findErrorBy,
  ListOffsetTimestamps,
  Producer,
  type SASLMechanismValue,
} from "@platformatic/kafka";
import type { KafkaConnection } from "./connection.ts";
import {
  type GroupMember,
  type GroupOptions,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type MemberEvents,
  type PartitionEnds,
  type ProducerOptions,
  type TopicSettings,
  topicConfig,
} from "./kafka-client.ts";
import { PlatformaticMember } from "./platformatic-member.ts";
import { bufferOf, type NewMessage } from "./topic-message.ts";

const connectTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
const metadataAgeMsMax = 60_000;

/** `@platformatic/kafka`. */
export class PlatformaticClient implements KafkaClient {
  readonly #base;

  constructor({ brokers, tls, login }: KafkaConnection) {
    this.#base = {
      clientId: "medley",
      bootstrapBrokers: [...brokers],
      connectTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      metadataMaxAge: metadataAgeMsMax,
      ...(tls ? { tls: {}, tlsServerName: true } : {}),
      ...(login === null ? {} : { sasl: saslOf(login) }),
    };
  }

  async openAdmin(): Promise<KafkaAdmin> {
    const admin = new Admin({ ...this.#base, retries: 3, retryDelay: 200 });
    return new PlatformaticAdmin(admin);
  }

  async openProducer({ compresses }: ProducerOptions): Promise<KafkaProducer> {
    const producer = new Producer({
      ...this.#base,
      idempotent: true,
      compression: compresses ? "zstd" : "none",
      partitioner: compatibilityPartitioner,
      // Tries until whoever sends has waited long enough and closes it.
      retries: Number.MAX_SAFE_INTEGER,
      retryDelay: 250,
    });
    try {
      await producer.metadata({ topics: [], retries: 3 });
    } catch (error) {
      await producer.close(true);
      throw error;
    }
    return new PlatformaticProducer(producer);
  }

  async join(options: GroupOptions, events: MemberEvents): Promise<GroupMember> {
    const member = new PlatformaticMember(this.#base, options, events);
    member.start();
    return member;
  }

  isTooLarge(error: unknown): boolean {
    return findErrorBy(error as Error, "apiId", "MESSAGE_TOO_LARGE") !== null;
  }
}

class PlatformaticAdmin implements KafkaAdmin {
  readonly #admin: Admin;

  constructor(admin: Admin) {
    this.#admin = admin;
  }

  async hasTopic(topic: string): Promise<boolean> {
    return (await this.#admin.listTopics()).includes(topic);
  }

  async createTopic(topic: string, settings: TopicSettings): Promise<void> {
    const { partitions, replication } = settings;
    try {
      await this.#admin.createTopics({
        topics: [topic],
        partitions,
        replicas: replication,
        configs: [...topicConfig(settings)],
      });
    } catch (error) {
      if (findErrorBy(error as Error, "apiId", "TOPIC_ALREADY_EXISTS") === null) throw error;
    }
  }

  async ends(topic: string): Promise<readonly PartitionEnds[]> {
    const [first, next] = await Promise.all([
      this.#offsets(topic, ListOffsetTimestamps.EARLIEST),
      this.#offsets(topic, ListOffsetTimestamps.LATEST),
    ]);
    return first.map((offset, partition) => ({ first: offset, next: next[partition] ?? offset }));
  }

  async #offsets(topic: string, timestamp: bigint): Promise<readonly bigint[]> {
    const indexes = await this.#partitions(topic);
    const [found] = await this.#admin.listOffsets({
      topics: [{ name: topic, partitions: indexes.map((partitionIndex) => ({ partitionIndex, timestamp })) }],
    });
    const offsets = new Array<bigint>(indexes.length).fill(0n);
    for (const { partitionIndex, offset } of found?.partitions ?? []) offsets[partitionIndex] = offset;
    return offsets;
  }

  async committed(group: string, topic: string): Promise<readonly (bigint | null)[]> {
    const partitionIndexes = await this.#partitions(topic);
    const [found] = await this.#admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes }] }],
    });
    const offsets = new Array<bigint | null>(partitionIndexes.length).fill(null);
    for (const { partitionIndex, committedOffset } of found?.topics[0]?.partitions ?? []) {
      if (committedOffset >= 0n) offsets[partitionIndex] = committedOffset;
    }
    return offsets;
  }

  async #partitions(topic: string): Promise<number[]> {
    const { topics } = await this.#admin.metadata({ topics: [topic] });
    return Array.from({ length: topics.get(topic)?.partitionsCount ?? 0 }, (_, partition) => partition);
  }

  close(): Promise<void> {
    return this.#admin.close();
  }
}

class PlatformaticProducer implements KafkaProducer {
  readonly #producer: Producer<Buffer, Buffer, Buffer, Buffer>;
  #unkeyed = 0;

  constructor(producer: Producer<Buffer, Buffer, Buffer, Buffer>) {
    this.#producer = producer;
  }

  async send(topic: string, messages: readonly NewMessage[]): Promise<void> {
    await this.#producer.send({
      messages: messages.map(({ key, value, headers }) => ({
        topic,
        // Its type knows no tombstones; its encoder does.
        value: bufferOf(value) as Buffer,
        ...(key === null ? { partition: this.#nextPartition() } : { key: bufferOf(key) as Buffer }),
        ...(headers === undefined ? {} : { headers: headersOf(headers) }),
      })),
    });
  }

  /** The library takes it modulo the number of partitions. */
  #nextPartition(): number {
    this.#unkeyed = (this.#unkeyed + 1) % 2 ** 20;
    return this.#unkeyed;
  }

  close(): Promise<void> {
    return this.#producer.close(true);
  }
}

function headersOf(headers: Readonly<Record<string, string>>): Map<Buffer, Buffer> {
  return new Map(Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value)]));
}

const mechanisms = {
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
} as const;

function saslOf({ mechanism, username, password }: NonNullable<KafkaConnection["login"]>) {
  return { mechanism: mechanisms[mechanism] as SASLMechanismValue, username, password };
}
