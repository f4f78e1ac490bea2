import { strict as assert } from "node:assert";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type Clock,
  decodePacket,
  encodePacket,
  MedleyError,
  systemClock,
  type Transport,
} from "@medley/core";
import type { Lease, LeaseBroker } from "../lease-broker.ts";
import { LeaseTransport } from "../lease-transport.ts";

export interface MemoryQueueOptions {
  /** Per channel; a `send` into a full channel waits. */
  readonly packetsMax: number;
  readonly leaseMs?: number;
  readonly clock?: Clock;
}

interface Entry {
  readonly text: string;
  readonly sentAtMs: number;
  attempt: number;
  dueAtMs: number;
  /** Null while nobody has it. */
  lease: MemoryLease | null;
  leaseEndsAtMs: number;
}

/**
 * A queue in this process's memory, for tests and simulations: what it holds is gone with it. Each `open` is to the queue
 * what another process would be to a server: several may be open, and packets outlive the one that sent them.
 */
export class MemoryQueue {
  readonly #options: Required<MemoryQueueOptions>;
  readonly #channels = { records: new Map<string, Entry>(), vectors: new Map<string, Entry>() };
  readonly #brokers = new Set<MemoryBroker>();
  #keysGiven = 0;
  #roomMade = Promise.withResolvers<void>();

  constructor(options: MemoryQueueOptions) {
    assert(Number.isSafeInteger(options.packetsMax) && options.packetsMax > 0);
    this.#options = { leaseMs: 6_000, clock: systemClock, ...options };
  }

  open(options: { pollIntervalMs?: number; onFault?: (fault: MedleyError) => void } = {}): Transport {
    const broker = new MemoryBroker(this);
    this.#brokers.add(broker);
    return new LeaseTransport({ broker, pollIntervalMs: 2_000, onFault: () => {}, ...options });
  }

  get leaseMs(): number {
    return this.#options.leaseMs;
  }

  async put(broker: MemoryBroker, channel: Channel, text: string, key: string | null): Promise<void> {
    const entries = this.#channels[channel];
    this.#keysGiven += 1;
    const id = key === null ? `unnamed ${this.#keysGiven}` : `key ${key}`;
    while (entries.size >= this.#options.packetsMax && !entries.has(id)) {
      await this.#roomMade.promise;
      if (!this.#brokers.has(broker))
        throw new MedleyError("transport_unavailable", "the queue closed before there was room");
    }
    if (entries.has(id)) return;
    const sentAtMs = this.#options.clock.nowMs();
    entries.set(id, { text, sentAtMs, attempt: 0, dueAtMs: 0, lease: null, leaseEndsAtMs: 0 });
    this.#announce(channel);
  }

  take<C extends Channel>(channel: C): MemoryLease<C> | null {
    const nowMs = this.#options.clock.nowMs();
    for (const [id, entry] of this.#channels[channel]) {
      if (entry.lease !== null && entry.leaseEndsAtMs > nowMs) continue;
      if (entry.lease === null && entry.dueAtMs > nowMs) continue;
      entry.attempt += 1;
      const lease = new MemoryLease(this, channel, { id, attempt: entry.attempt, text: entry.text });
      entry.lease = lease;
      entry.leaseEndsAtMs = nowMs + this.leaseMs;
      return lease;
    }
    return null;
  }

  renew(channel: Channel, lease: MemoryLease): boolean {
    const entry = this.#channels[channel].get(lease.id);
    if (entry?.lease !== lease) return false;
    entry.leaseEndsAtMs = this.#options.clock.nowMs() + this.leaseMs;
    return true;
  }

  remove(channel: Channel, lease: MemoryLease): void {
    this.#entryOf(channel, lease);
    this.#channels[channel].delete(lease.id);
    this.#makeRoom();
  }

  giveBack(channel: Channel, lease: MemoryLease, delayMs: number): void {
    const entry = this.#entryOf(channel, lease);
    entry.lease = null;
    entry.dueAtMs = this.#options.clock.nowMs() + delayMs;
    if (delayMs === 0) this.#announce(channel);
  }

  backlog(channel: Channel): Backlog {
    const entries = [...this.#channels[channel].values()];
    const inFlight = entries.filter(({ lease }) => lease !== null).length;
    return { waiting: entries.length - inFlight, inFlight };
  }

  oldestAgeMs(channel: Channel): number {
    const [oldest] = this.#channels[channel].values();
    return oldest === undefined ? 0 : this.#options.clock.nowMs() - oldest.sentAtMs;
  }

  leave(broker: MemoryBroker): void {
    this.#brokers.delete(broker);
    this.#makeRoom();
  }

  #entryOf(channel: Channel, lease: MemoryLease): Entry {
    const entry = this.#channels[channel].get(lease.id);
    if (entry?.lease !== lease)
      throw new MedleyError("transport_unavailable", "the lease of the packet ran out");
    return entry;
  }

  #announce(channel: Channel): void {
    for (const broker of this.#brokers) broker.onArrival(channel);
  }

  #makeRoom(): void {
    this.#roomMade.resolve();
    this.#roomMade = Promise.withResolvers<void>();
  }
}

class MemoryLease<C extends Channel = Channel> implements Lease<C> {
  readonly id: string;
  readonly attempt: number;
  readonly #text: string;
  readonly #queue: MemoryQueue;
  readonly #channel: C;

  constructor(queue: MemoryQueue, channel: C, entry: { id: string; attempt: number; text: string }) {
    this.#queue = queue;
    this.#channel = channel;
    this.id = entry.id;
    this.attempt = entry.attempt;
    this.#text = entry.text;
  }

  async readPacket(): Promise<ChannelPackets[C]> {
    return decodePacket(this.#channel, this.#text);
  }

  async acknowledge(): Promise<void> {
    this.#queue.remove(this.#channel, this);
  }

  async giveBack(delayMs: number): Promise<void> {
    this.#queue.giveBack(this.#channel, this, delayMs);
  }
}

/** One process's view of the queue. */
class MemoryBroker implements LeaseBroker {
  readonly name = "the queue in memory";
  readonly #queue: MemoryQueue;
  onArrival: (channel: Channel) => void = () => {};

  constructor(queue: MemoryQueue) {
    this.#queue = queue;
  }

  get leaseMs(): number {
    return this.#queue.leaseMs;
  }

  put<C extends Channel>(channel: C, packet: ChannelPackets[C], key: string | null): Promise<void> {
    return this.#queue.put(this, channel, encodePacket(packet), key);
  }

  async take<C extends Channel>(channel: C): Promise<Lease<C> | null> {
    return this.#queue.take(channel);
  }

  async renew<C extends Channel>(channel: C, leases: readonly Lease<C>[]): Promise<readonly Lease<C>[]> {
    return leases.filter((lease) => !this.#queue.renew(channel, lease as MemoryLease<C>));
  }

  async backlog(channel: Channel): Promise<Backlog> {
    return this.#queue.backlog(channel);
  }

  async oldestAgeMs(channel: Channel): Promise<number> {
    return this.#queue.oldestAgeMs(channel);
  }

  subscribe(onArrival: (channel: Channel) => void): void {
    this.onArrival = onArrival;
  }

  async close(): Promise<void> {
    this.#queue.leave(this);
  }
}
