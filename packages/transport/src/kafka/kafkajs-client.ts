import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import type { TopicMessage } from "@medley/core";
import type { CompressionAlgorithmSpecification } from "@platformatic/kafka";
import kafkajs, {
  type Admin,
  type IHeaders,
  type KafkaMessage,
  type PartitionerArgs,
  type Producer,
} from "kafkajs";
import { backoffMs } from "../backoff.ts";
import type { PartitionOffset } from "../log/log-consumer.ts";
import type { LogPartitionId } from "../log/log-partition.ts";
import { type KafkaConnection, timings } from "./connection.ts";
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
import { bufferOf, type NewMessage } from "./topic-message.ts";

const { CompressionCodecs, Kafka, logLevel, Partitioners } = kafkajs;

const codecs = { snappy: 2, lz4: 3, zstd: 4 };

// Users' topics may hold any of them, and kafkajs brings none.
const registry = CompressionCodecs as Record<number, unknown>;
for (const bitmask of [codecs.snappy, codecs.lz4]) {
  const codec = async () =>
    (await import("@platformatic/kafka")).compressionsAlgorithmsByBitmask[
      bitmask
    ] as CompressionAlgorithmSpecification;
  registry[bitmask] = () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => (await codec()).compressSync(buffer),
    decompress: async (buffer: Buffer) => (await codec()).decompressSync(buffer),
  });
}
// Off the main thread.
const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];
registry[codecs.zstd] = () => ({
  compress: ({ buffer }: { buffer: Buffer }) => compress(buffer),
  decompress: (buffer: Buffer) => decompress(buffer),
});

// A connection of kafkajs looks a thousand times a second whether a request waits for its turn, even where none does: some per cent
// of a core, and on newer Nodes a warning, for the timer is set to the past. One that begins to wait asks for a look by itself.
interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}
const queue: RequestQueue = createRequire(import.meta.url)(
  "kafkajs/src/network/requestQueue/index.js",
).prototype;
const { scheduleCheckPendingRequests } = queue;
queue.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) scheduleCheckPendingRequests.call(this);
};

const connectTimeoutMs = 5_000;
const requestTimeoutMs = 10_000;
/** A broker that was killed is back within half a minute; a member keeps its place and a producer its numbers so long. */
const retry = { initialRetryTime: 100, maxRetryTime: 1_000, multiplier: 2, factor: 0.2, retries: 40 };
/** Longer than `retry` goes on. */
const leftoversMs = 60_000;
/** Also how long a partition may wait to be read again that was resumed while nothing else had messages. */
const fetchWaitMsMax = 250;
const fetchBytesMax = 8 * 2 ** 20;
const partitionFetchBytesMax = 2 ** 20;
const metadataAgeMsMax = 60_000;

/** kafkajs. What it would log as an error comes as a member's fault; admin and producer are silent, and reject. */
export class KafkajsClient implements KafkaClient {
  readonly #connection: KafkaConnection;

  constructor(connection: KafkaConnection) {
    this.#connection = connection;
  }

  /** `retries` of connecting and of asking where partitions are; what is done with the answer is tried again by itself. */
  #kafka(retries: number, onError: (message: string) => void = () => {}): InstanceType<typeof Kafka> {
    const { brokers, tls, login } = this.#connection;
    return new Kafka({
      clientId: "medley",
      brokers: [...brokers],
      ssl: tls,
      ...(login === null ? {} : { sasl: saslOf(login) }),
      connectionTimeout: connectTimeoutMs,
      authenticationTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      enforceRequestTimeout: true,
      retry: { ...retry, retries },
      logLevel: logLevel.ERROR,
      logCreator:
        () =>
        ({ log }) => {
          // What a broker answers is dealt with, or comes as a crash: rebalances are such answers.
          if (!log.message.startsWith("Response ")) onError(log.message);
        },
    });
  }

  async openAdmin(): Promise<KafkaAdmin> {
    const admin = this.#kafka(3).admin();
    await connect(admin);
    return new KafkajsAdmin(admin);
  }

  async openProducer({ compresses }: ProducerOptions): Promise<KafkaProducer> {
    const written = new WrittenPartitions();
    // The fewest retries it takes: see `KafkajsProducer`.
    const producer = this.#kafka(1).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      metadataMaxAge: metadataAgeMsMax,
      createPartitioner: written.createPartitioner,
    });
    await connect(producer);
    return new KafkajsProducer(producer, written, compresses ? codecs.zstd : 0);
  }

  async join(options: GroupOptions, events: MemberEvents): Promise<GroupMember> {
    const kafka = this.#kafka(retry.retries, (message) => events.onFault(new Error(message)));
    const consumer = kafka.consumer({
      groupId: options.group,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: Math.max(options.sessionTimeoutMs, timings.rebalanceTimeoutMs),
      heartbeatInterval: options.heartbeatIntervalMs,
      allowAutoTopicCreation: false,
      metadataMaxAge: metadataAgeMsMax,
      maxWaitTimeInMs: fetchWaitMsMax,
      maxBytes: fetchBytesMax,
      maxBytesPerPartition: partitionFetchBytesMax,
      // It is made anew by whoever hears `onEnded`, also where kafkajs itself would not try again.
      retry: { ...retry, restartOnFailure: async () => false },
    });
    let memberId: string | null = null;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const continued = payload.memberId === memberId;
      memberId = payload.memberId;
      events.onAssigned(partitionsOf(payload.memberAssignment), { continued });
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => events.onEnded(payload.error));
    await connect(consumer);
    await consumer.subscribe({ topics: [...options.topics], fromBeginning: options.fromBeginning });
    const running = consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const { topic, partition, messages } = batch;
        const id = { topic, partition };
        const nextOffset = BigInt(batch.lastOffset()) + 1n;
        events.onMessages(
          id,
          messages.map((message) => messageOf(id, message)),
          nextOffset,
        );
      },
    });
    running.catch((error) => events.onEnded(error));
    return {
      pause: ({ topic, partition }) => consumer.pause([{ topic, partitions: [partition] }]),
      resume: ({ topic, partition }) => consumer.resume([{ topic, partitions: [partition] }]),
      commit: (offsets: readonly PartitionOffset[]) =>
        consumer.commitOffsets(offsets.map((one) => ({ ...one, offset: one.offset.toString() }))),
      close: async () => {
        await consumer.disconnect();
        // A connection it was trying to make may still come about, and is nobody's.
        setTimeout(() => void consumer.disconnect().catch(() => {}), leftoversMs).unref();
      },
    };
  }

  isTooLarge(error: unknown): boolean {
    return protocolErrorOf(error)?.type === "MESSAGE_TOO_LARGE";
  }
}

class KafkajsAdmin implements KafkaAdmin {
  readonly #admin: Admin;

  constructor(admin: Admin) {
    this.#admin = admin;
  }

  async hasTopic(topic: string): Promise<boolean> {
    // Asking for the one topic would make it where brokers make topics by themselves.
    return (await this.#admin.listTopics()).includes(topic);
  }

  async createTopic(topic: string, settings: TopicSettings): Promise<void> {
    await this.#admin.createTopics({
      topics: [
        {
          topic,
          numPartitions: settings.partitions,
          replicationFactor: settings.replication,
          configEntries: [...topicConfig(settings)],
        },
      ],
    });
  }

  async ends(topic: string): Promise<readonly PartitionEnds[]> {
    const offsets = await this.#admin.fetchTopicOffsets(topic);
    return offsets
      .sort((a, b) => a.partition - b.partition)
      .map(({ low, high }) => ({ first: BigInt(low), next: BigInt(high) }));
  }

  async committed(group: string, topic: string): Promise<readonly (bigint | null)[]> {
    const [found] = await this.#admin.fetchOffsets({ groupId: group, topics: [topic] });
    return (found?.partitions ?? [])
      .sort((a, b) => a.partition - b.partition)
      .map(({ offset }) => (offset.startsWith("-") ? null : BigInt(offset)));
  }

  close(): Promise<void> {
    return this.#admin.disconnect();
  }
}

/** What can't be connected leaves nothing open. */
async function connect(client: Pick<Admin, "connect" | "disconnect">): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    await client.disconnect().catch(() => {});
    throw error;
  }
}

/** Which partitions the messages of a `send` went to. */
class WrittenPartitions {
  readonly #choose = Partitioners.DefaultPartitioner();
  readonly partitions = new Set<number>();

  readonly createPartitioner = () => (args: PartitionerArgs) => {
    const partition = this.#choose(args);
    this.partitions.add(partition);
    return partition;
  };
}

/**
 * kafkajs' own retries outlive its `disconnect`, and connect again after it, so they are made here. A message tried again has
 * the sequence number it had, so brokers that have it already leave it out.
 */
class KafkajsProducer implements KafkaProducer {
  readonly #producer: Producer;
  readonly #written: WrittenPartitions;
  readonly #compression: number;
  readonly #closing = new AbortController();
  #sending: Promise<void> = Promise.resolve();

  constructor(producer: Producer, written: WrittenPartitions, compression: number) {
    this.#compression = compression;
    this.#producer = producer;
    this.#written = written;
  }

  async send(topic: string, messages: readonly NewMessage[]): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      try {
        this.#sending = this.#trySend(topic, messages);
        return await this.#sending;
      } catch (error) {
        const refusal = protocolErrorOf(error);
        if (this.#closing.signal.aborted || (refusal !== null && !refusal.retriable)) throw error;
        await sleep(Math.min(backoffMs(failures), retry.maxRetryTime), undefined, {
          signal: this.#closing.signal,
        });
      }
    }
  }

  async #trySend(topic: string, messages: readonly NewMessage[]): Promise<void> {
    const { partitions } = this.#written;
    partitions.clear();
    const answers = await this.#producer.send({
      topic,
      acks: -1,
      compression: this.#compression,
      messages: messages.map(({ key, value, headers }) => ({
        key: bufferOf(key),
        value: bufferOf(value),
        ...(headers === undefined ? {} : { headers: headerBytesOf(headers) }),
      })),
    });
    // kafkajs asks no broker twice that has answered: messages of a partition that moves to such a broker while another's are
    // tried again are dropped without a word.
    const answered = new Set(answers.map(({ partition }) => partition));
    const missing = [...partitions].filter((partition) => !answered.has(partition));
    if (missing.length > 0) throw new Error(`no answer for partitions ${missing.join(", ")} of ${topic}`);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#producer.disconnect();
    await this.#sending.catch(() => {});
    await this.#producer.disconnect();
  }
}

function saslOf({ mechanism, username, password }: NonNullable<KafkaConnection["login"]>) {
  return { mechanism, username, password } as { mechanism: "plain"; username: string; password: string };
}

function partitionsOf(assignment: Readonly<Record<string, readonly number[]>>): readonly LogPartitionId[] {
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

const noHeaders: TopicMessage["headers"] = Object.freeze({});

function messageOf(
  { topic, partition }: LogPartitionId,
  { offset, key, value, headers, timestamp }: KafkaMessage,
): TopicMessage {
  return {
    topic,
    partition,
    offset: BigInt(offset),
    key,
    value,
    headers: headersOf(headers),
    timestampMs: Number(timestamp),
  };
}

function headersOf(headers: IHeaders | undefined): TopicMessage["headers"] {
  let texts: Record<string, string> | null = null;
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last === undefined) continue;
    texts ??= {};
    texts[name] = String(last);
  }
  return texts ?? noHeaders;
}

/** kafkajs counts a text's characters where it should its bytes. */
function headerBytesOf(headers: Readonly<Record<string, string>>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]));
}

interface ProtocolError {
  /** As the protocol names it: `MESSAGE_TOO_LARGE`. */
  readonly type: string;
  readonly retriable: boolean;
}

/** What a broker answered, which kafkajs may have wrapped; null where none did. */
function protocolErrorOf(error: unknown): ProtocolError | null {
  let current = error as { type?: unknown; cause?: unknown; retriable?: boolean } | undefined | null;
  for (let depth = 0; current && depth < 5; depth += 1) {
    if (typeof current.type === "string") return current as ProtocolError;
    current = current.cause as typeof current;
  }
  return null;
}
