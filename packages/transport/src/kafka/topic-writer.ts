import { MedleyError } from "@medley/core";
import { backoffMs } from "../backoff.ts";
import { withDeadline } from "../deadline.ts";
import { systemTimers, type Timers } from "../timers.ts";
import { clientOf } from "./client-of.ts";
import type { KafkaConnection } from "./connection.ts";
import type { KafkaClient, KafkaProducer, ProducerOptions } from "./kafka-client.ts";
import { kafkaFault } from "./kafka-fault.ts";
import type { NewMessage } from "./topic-message.ts";

export interface TopicWriterOptions {
  readonly connection: KafkaConnection;
  /** A `send` that is not answered by then rejects. Default 30 s. */
  readonly sendTimeoutMs?: number;
}

export interface TopicWriter {
  /**
   * Resolves when all in-sync replicas have the messages. Messages keep their order within a partition. Throws
   * `transport_unavailable` (whether they were written is then unknown: sending again is safe, and may write them twice),
   * `body_too_large` for a message that the topic does not take, or `overloaded` while too much waits to be written.
   */
  send(topic: string, messages: readonly NewMessage[]): Promise<void>;
  /** Waits for what is being sent. */
  close(): Promise<void>;
}

/** One `send`, until its last message is written. */
interface Call {
  readonly topic: string;
  readonly done: PromiseWithResolvers<void>;
  left: number;
  settled: boolean;
}

interface Unsent {
  readonly message: NewMessage;
  readonly bytes: number;
  readonly call: Call;
}

/** Kafka takes what goes to one partition at once as a whole, and unless told otherwise at most a mebibyte of it. */
const flightBytesMax = 900_000;
const flightMessagesMax = 1_000;
const waitingBytesMax = 64 * 2 ** 20;
const openPauseMsMax = 1_000;
const closeTimeoutMs = 5_000;

/** Throws `transport_unavailable` where the brokers can't be reached. */
export async function openTopicWriter(options: TopicWriterOptions): Promise<TopicWriter> {
  const client = await clientOf(options.connection);
  const writer = new FlightWriter(client, { compresses: false, sendTimeoutMs: options.sendTimeoutMs });
  await writer.connect();
  return writer;
}

/**
 * Writes in *flights*, one at a time: while one is under way messages wait, and the next takes all it has room for. So many
 * small calls cost what a few large ones do, and messages of a partition are written in the order of their calls.
 *
 * A flight that fails fails its calls, and its producer is replaced: the library may go on with sequence numbers that messages
 * were written with, and the broker would take the next ones for those, and drop them.
 */
export class FlightWriter implements TopicWriter {
  readonly #client: KafkaClient;
  readonly #sendTimeoutMs: number;
  readonly #timers: Timers;
  readonly #random: () => number;
  readonly #compresses: boolean;
  readonly #unsent: Unsent[] = [];
  #unsentBytes = 0;
  #producer: Promise<KafkaProducer> | null = null;
  #flying: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor(
    client: KafkaClient,
    options: ProducerOptions & {
      sendTimeoutMs?: number | undefined;
      timers?: Timers | undefined;
      /** From 0 to 1; spreads retries. */
      random?: (() => number) | undefined;
    },
  ) {
    const { compresses, sendTimeoutMs = 30_000, timers = systemTimers, random = Math.random } = options;
    this.#client = client;
    this.#compresses = compresses;
    this.#sendTimeoutMs = sendTimeoutMs;
    this.#timers = timers;
    this.#random = random;
  }

  /** At once, or not at all. */
  async connect(): Promise<void> {
    this.#producer = this.#client.openProducer({ compresses: this.#compresses });
    try {
      await withDeadline(this.#producer, this.#sendTimeoutMs, this.#timers);
    } catch (error) {
      void this.#replaceProducer();
      throw kafkaFault(error, "opening a producer");
    }
  }

  async send(topic: string, messages: readonly NewMessage[]): Promise<void> {
    if (this.#closed !== null)
      throw new MedleyError("transport_unavailable", "the writer to Kafka is closed");
    if (messages.length === 0) return;
    if (this.#unsentBytes > waitingBytesMax) {
      throw new MedleyError("overloaded", `${this.#unsentBytes} bytes wait to be written to Kafka`, {
        mend: "send again in a moment, or see why the brokers are slow",
      });
    }
    const call = { topic, done: Promise.withResolvers<void>(), left: messages.length, settled: false };
    for (const message of messages) {
      const bytes = bytesOf(message);
      this.#unsent.push({ message, bytes, call });
      this.#unsentBytes += bytes;
    }
    const cancelTimeout = this.#timers.after(this.#sendTimeoutMs, () =>
      fail(call, unanswered(topic, this.#sendTimeoutMs)),
    );
    this.#flying ??= this.#fly();
    try {
      await call.done.promise;
    } finally {
      cancelTimeout();
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#flying;
    await this.#replaceProducer();
  }

  async #fly(): Promise<void> {
    // Calls of the same moment share a flight.
    await null;
    for (let flight = this.#takeFlight(); flight.length > 0; flight = this.#takeFlight()) {
      await this.#write(flight);
    }
    this.#flying = null;
  }

  #takeFlight(): readonly Unsent[] {
    const flight: Unsent[] = [];
    let bytes = 0;
    let taken = 0;
    for (const unsent of this.#unsent) {
      const isFull =
        flight.length === flightMessagesMax || (flight.length > 0 && bytes + unsent.bytes > flightBytesMax);
      const isForAnother = flight.length > 0 && flight[0]?.call.topic !== unsent.call.topic;
      if (isFull || isForAnother) break;
      taken += 1;
      this.#unsentBytes -= unsent.bytes;
      if (unsent.call.settled) continue;
      bytes += unsent.bytes;
      flight.push(unsent);
    }
    this.#unsent.splice(0, taken);
    return flight;
  }

  async #write(flight: readonly Unsent[]): Promise<void> {
    const { topic } = (flight[0] as Unsent).call;
    try {
      const messages = flight.map(({ message }) => message);
      await withDeadline(this.#produce(topic, messages), this.#sendTimeoutMs, this.#timers);
      for (const { call } of flight) succeed(call);
    } catch (error) {
      void this.#replaceProducer();
      if (!this.#client.isTooLarge(error)) {
        const fault = kafkaFault(error, `writing to ${topic}`);
        for (const { call } of flight) fail(call, fault);
      } else if (flight.length === 1) {
        fail((flight[0] as Unsent).call, tooLarge(topic, (flight[0] as Unsent).bytes));
      } else {
        // Together they are too large: apart it shows which one is by itself.
        const half = Math.ceil(flight.length / 2);
        for (const part of [flight.slice(0, half), flight.slice(half)]) {
          const unsettled = part.filter(({ call }) => !call.settled);
          if (unsettled.length > 0) await this.#write(unsettled);
        }
      }
    }
  }

  async #produce(topic: string, messages: readonly NewMessage[]): Promise<void> {
    this.#producer ??= this.#openProducer();
    const producer = await this.#producer;
    await producer.send(topic, messages);
  }

  /** Tries for as long as a flight may take. */
  async #openProducer(): Promise<KafkaProducer> {
    const endsAtMs = this.#timers.nowMs() + this.#sendTimeoutMs;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#client.openProducer({ compresses: this.#compresses });
      } catch (error) {
        const pauseMs = Math.min(backoffMs(failures, this.#random), openPauseMsMax);
        if (this.#closed !== null || this.#timers.nowMs() + pauseMs > endsAtMs) throw error;
        await new Promise<void>((resolve) => this.#timers.after(pauseMs, resolve));
      }
    }
  }

  async #replaceProducer(): Promise<void> {
    const opening = this.#producer;
    this.#producer = null;
    if (opening === null) return;
    // What it still had to do is known to have failed, or is done.
    await withDeadline(
      opening.then((producer) => producer.close()),
      closeTimeoutMs,
      this.#timers,
    ).catch(() => {});
  }
}

function succeed(call: Call): void {
  call.left -= 1;
  if (call.left > 0) return;
  call.settled = true;
  call.done.resolve();
}

function fail(call: Call, fault: MedleyError): void {
  call.settled = true;
  call.done.reject(fault);
}

function bytesOf({ key, value, headers = {} }: NewMessage): number {
  let bytes = lengthOf(key) + lengthOf(value);
  for (const name in headers) bytes += name.length + (headers[name] as string).length;
  // Offsets, lengths and the time.
  return bytes + 32;
}

function lengthOf(content: Uint8Array | string | null): number {
  if (content === null) return 0;
  return typeof content === "string" ? Buffer.byteLength(content) : content.byteLength;
}

function unanswered(topic: string, timeoutMs: number): MedleyError {
  return new MedleyError(
    "transport_unavailable",
    `Kafka did not take messages for ${topic} within ${timeoutMs / 1_000} s`,
    { mend: "see that its brokers run and can be reached; trying again is safe" },
  );
}

function tooLarge(topic: string, bytes: number): MedleyError {
  return new MedleyError("body_too_large", `a message of ${bytes} bytes is longer than ${topic} takes`, {
    mend: "raise the topic's max.message.bytes, or send less with each record",
  });
}
