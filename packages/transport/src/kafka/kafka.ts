import { strict as assert } from "node:assert";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type Consumer,
  channels,
  type MedleyError,
  packetRecordsMax,
  type Receive,
  type TopicMessage,
  type Transport,
} from "@medley/core";
import { LogConsumer } from "../log/log-consumer.ts";
import { systemTimers, type Timers } from "../timers.ts";
import { Brokers } from "./brokers.ts";
import { clientOf } from "./client-of.ts";
import { type KafkaConnection, timings } from "./connection.ts";
import { GroupConsumer } from "./group-consumer.ts";
import type { KafkaClient } from "./kafka-client.ts";
import { messagesOfPacket, type PacketMessage, packetBatchesOf, packetMessageOf } from "./packet-message.ts";
import { TopicLag } from "./topic-lag.ts";
import { FlightWriter } from "./topic-writer.ts";

export interface KafkaOptions {
  readonly connection: KafkaConnection;
  /** The topics are `<prefix>-records` and `<prefix>-vectors`, and so are their groups. */
  readonly prefix: string;
  /** Of topics that are made; existing ones stay as they are. */
  readonly partitions: number;
  readonly replication: number;
  readonly retentionHours: number;
  /**
   * Resolves when messages that hold no packet are kept elsewhere: until then they are not passed over, and come again with
   * backoff, while the rest of their partition goes on until its window is full.
   */
  readonly onUndecodable: (channel: Channel, messages: readonly TopicMessage[]) => Promise<void>;
  /** Faults met by consumers, which go on trying; for logs. */
  readonly onFault?: (fault: MedleyError) => void;
  /** A consumer that was not heard of for so long loses its partitions. Default 10 s. */
  readonly sessionTimeoutMs?: number;
  /** Default 3 s. */
  readonly heartbeatIntervalMs?: number;
  /** A `send` that is not answered by then rejects. Default 30 s. */
  readonly sendTimeoutMs?: number;
  /** Of a consumer: messages read and not yet done, one read over it. Default 10,000, or twice what it has in hand if that is more. */
  readonly messagesInFlightMax?: number;
  /** Default: this machine's. */
  readonly timers?: Timers;
  /** From 0 to 1; spreads retries. Default: `Math.random`. */
  readonly random?: () => number;
}

/** A packet's records are at most so long together, as what producers put into one packet. */
const batchBytesMax = 4_000_000;
/** Of a consumer: enough to go on while a partition that was full is asked for more. */
const messagesInFlightDefault = 10_000;
const bytesInFlightMax = 64 * 2 ** 20;
/** Of the longest record, with its pictures and its vector. */
const messageBytesMax = 16 * 2 ** 20;
const hourMs = 3_600_000;

/** Opens the transport, and makes its topics where they are missing. Throws `transport_unavailable`. */
export async function openKafka(options: KafkaOptions): Promise<Transport> {
  return openKafkaThrough(await clientOf(options.connection), options);
}

/** As `openKafka`, with a client of the caller's. */
export async function openKafkaThrough(
  client: KafkaClient,
  options: Omit<KafkaOptions, "connection">,
): Promise<Transport> {
  const brokers = new Brokers(client, options.timers);
  const { partitions, replication, retentionHours } = options;
  const settings = { partitions, replication, retentionMs: retentionHours * hourMs, messageBytesMax };
  try {
    for (const channel of channels) await brokers.ensureTopic(topicOf(options.prefix, channel), settings);
  } catch (error) {
    await brokers.close();
    throw error;
  }
  return new KafkaTransport(options, client, brokers);
}

/** The `Transport` port over Kafka. States: open -> closed, final; everything after it throws. */
class KafkaTransport implements Transport {
  readonly unit = "records";
  readonly #options: Omit<KafkaOptions, "connection">;
  readonly #client: KafkaClient;
  readonly #brokers: Brokers;
  readonly #writer: FlightWriter;
  readonly #consumers = new Map<
    GroupConsumer<PacketMessage>,
    { channel: Channel; log: LogConsumer<PacketMessage> }
  >();
  readonly #lags: Readonly<Record<Channel, TopicLag>>;
  #closed: Promise<void> | null = null;

  constructor(options: Omit<KafkaOptions, "connection">, client: KafkaClient, brokers: Brokers) {
    this.#options = options;
    this.#client = client;
    this.#brokers = brokers;
    // It costs no more than it spares, and brokers store and send a third less.
    this.#writer = new FlightWriter(client, {
      compresses: true,
      sendTimeoutMs: options.sendTimeoutMs,
      timers: options.timers,
      random: options.random,
    });
    this.#lags = { records: this.#lagOf("records"), vectors: this.#lagOf("vectors") };
  }

  async send<C extends Channel>(
    channel: C,
    packet: ChannelPackets[C],
    options?: { key?: string },
  ): Promise<void> {
    assert(packet.chunk === null && options?.key === undefined, "a log takes no chunks and no keys");
    await this.#writer.send(this.#topicOf(channel), messagesOfPacket(packet));
    this.#lags[channel].sent(packet.envelopes.length);
  }

  async consume<C extends Channel>(
    channel: C,
    receive: Receive<C>,
    options: { packetsInFlightMax: number },
  ): Promise<Consumer> {
    const { packetsInFlightMax } = options;
    // Brokers that can't be reached are said now, not when the first packet fails to come.
    await this.backlog(channel);
    const { onUndecodable, onFault = () => {}, ...rest } = this.#options;
    const { timers = systemTimers, random = Math.random } = rest;
    const receiver = {
      channel,
      receive,
      onUndecodable: (messages: readonly TopicMessage[]) => onUndecodable(channel, messages),
      onFault,
    };
    const log: LogConsumer<PacketMessage> = new LogConsumer({
      batchesOf: (messages) => packetBatchesOf(receiver, messages),
      batchMessagesMax: packetRecordsMax,
      batchBytesMax,
      batchesInFlightMax: packetsInFlightMax,
      messagesInFlightMax:
        rest.messagesInFlightMax ??
        Math.max(messagesInFlightDefault, packetsInFlightMax * packetRecordsMax * 2),
      bytesInFlightMax,
      onFull: (partition) => consumer.pause(partition),
      onRoom: (partition) => consumer.resume(partition),
      onProgress: () => consumer.progressed(),
      timers,
      random,
    });
    const consumer = new GroupConsumer({
      client: this.#client,
      group: this.#topicOf(channel),
      topics: [this.#topicOf(channel)],
      fromBeginning: true,
      sessionTimeoutMs: rest.sessionTimeoutMs ?? timings.sessionTimeoutMs,
      heartbeatIntervalMs: rest.heartbeatIntervalMs ?? timings.heartbeatIntervalMs,
      log,
      messageOf: packetMessageOf,
      onFault,
      timers,
      random,
    });
    this.#consumers.set(consumer, { channel, log });
    consumer.start();
    return {
      close: async (grace) => {
        await consumer.close(grace);
        this.#consumers.delete(consumer);
      },
    };
  }

  backlog(channel: Channel, { ageMsMax = 0 } = {}): Promise<Backlog> {
    return this.#lags[channel].backlog(ageMsMax);
  }

  oldestAgeMs(channel: Channel): Promise<number | null> {
    return this.#lags[channel].oldestAgeMs();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#consumers.keys()].map((consumer) => consumer.close({ graceMs: 0 })));
    await this.#writer.close();
    await this.#brokers.close();
  }

  #lagOf(channel: Channel): TopicLag {
    return new TopicLag({
      brokers: this.#brokers,
      topic: this.#topicOf(channel),
      group: this.#topicOf(channel),
      windows: () =>
        [...this.#consumers.values()].flatMap((one) => (one.channel === channel ? one.log.partitions : [])),
      onFault: this.#options.onFault ?? (() => {}),
      timers: this.#options.timers ?? systemTimers,
    });
  }

  #topicOf(channel: Channel): string {
    return topicOf(this.#options.prefix, channel);
  }
}

function topicOf(prefix: string, channel: Channel): string {
  return `${prefix}-${channel}`;
}
