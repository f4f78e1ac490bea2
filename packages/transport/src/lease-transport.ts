import { strict as assert } from "node:assert";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type Consumer,
  MedleyError,
  type Receive,
  type Transport,
} from "@medley/core";
import type { LeaseBroker } from "./lease-broker.ts";
import { faultOf, LeaseConsumer } from "./lease-consumer.ts";
import { systemTimers, type Timers } from "./timers.ts";

export interface LeaseTransportOptions {
  readonly broker: LeaseBroker;
  /** Between two looks at an empty queue, where no arrival is signalled. */
  readonly pollIntervalMs: number;
  /** Faults of the queue met by consumers, which go on trying; for logs. */
  readonly onFault: (fault: MedleyError) => void;
  /** Default: this machine's. */
  readonly timers?: Timers;
  /** From 0 to 1; spreads retries. Default: `Math.random`. */
  readonly random?: () => number;
}

/** A key is part of an index entry. */
const keyBytesMax = 512;

/** The `Transport` port over any broker. States: open -> closed, final; everything after it throws. */
export class LeaseTransport implements Transport {
  readonly unit = "packets";
  readonly #options: LeaseTransportOptions;
  readonly #consumers = new Map<Consumer & { wake(): void }, Channel>();
  #closed: Promise<void> | null = null;

  constructor(options: LeaseTransportOptions) {
    this.#options = options;
    options.broker.subscribe((channel) => this.#wake(channel));
  }

  async send<C extends Channel>(
    channel: C,
    packet: ChannelPackets[C],
    options?: { key?: string },
  ): Promise<void> {
    const key = options?.key ?? null;
    assert(key === null || Buffer.byteLength(key) <= keyBytesMax, `a key has at most ${keyBytesMax} bytes`);
    await this.#run(`sending to channel ${channel}`, (broker) => broker.put(channel, packet, key));
    this.#wake(channel);
  }

  async consume<C extends Channel>(
    channel: C,
    receive: Receive<C>,
    options: { packetsInFlightMax: number },
  ): Promise<Consumer> {
    const { packetsInFlightMax } = options;
    assert(Number.isSafeInteger(packetsInFlightMax) && packetsInFlightMax > 0);
    // A queue that can't be reached is said now, not when the first packet fails to come.
    await this.backlog(channel);
    const { broker, pollIntervalMs, onFault, timers = systemTimers, random = Math.random } = this.#options;
    const consumer = new LeaseConsumer({
      broker,
      channel,
      receive,
      packetsInFlightMax,
      pollIntervalMs,
      onFault,
      timers,
      random,
    });
    this.#consumers.set(consumer, channel);
    return {
      close: async (grace) => {
        await consumer.close(grace);
        this.#consumers.delete(consumer);
      },
    };
  }

  backlog(channel: Channel): Promise<Backlog> {
    return this.#run(`counting channel ${channel}`, (broker) => broker.backlog(channel));
  }

  oldestAgeMs(channel: Channel): Promise<number> {
    return this.#run(`asking the age of channel ${channel}`, (broker) => broker.oldestAgeMs(channel));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#consumers.keys()].map((consumer) => consumer.close({ graceMs: 0 })));
    await this.#options.broker.close();
  }

  async #run<Value>(what: string, act: (broker: LeaseBroker) => Promise<Value>): Promise<Value> {
    const { broker } = this.#options;
    if (this.#closed !== null)
      throw new MedleyError("transport_unavailable", `${broker.name} is closed (${what})`);
    try {
      return await act(broker);
    } catch (error) {
      throw faultOf(error, broker.name, what);
    }
  }

  #wake(channel: Channel): void {
    for (const [consumer, itsChannel] of this.#consumers) if (itsChannel === channel) consumer.wake();
  }
}
