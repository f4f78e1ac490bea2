import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  channels,
  decodePacket,
  encodePacket,
  type RecordEnvelope,
} from "@medley/core";
import type { Lease, LeaseBroker } from "@medley/transport/state-machines";
import type { Life, Server } from "./host.ts";
import type { Judge } from "./judge.ts";
import type { World } from "./world.ts";

interface Entry {
  readonly text: string;
  readonly envelopes: readonly RecordEnvelope[];
  readonly sentAtMs: number;
  attempt: number;
  dueAtMs: number;
  /** Null while nobody has it. */
  lease: SimulatedLease | null;
  leaseEndsAtMs: number;
}

export interface QueueOptions {
  readonly world: World;
  readonly judge: Judge;
  readonly leaseMs: number;
  /** That share of packets without a key is added twice. */
  readonly doubles: () => number;
  /** That share of takes gives another than the oldest. */
  readonly reorders: () => number;
  readonly onPut: () => void;
}

/** What a process knows of a lease; the packet may be another's by now. */
interface SimulatedLease<C extends Channel = Channel> extends Lease<C> {
  readonly key: string;
  /** It was told to its holder that it is lost. */
  knownLost: boolean;
}

const arrivalMs = 0.5;
const arrivalsMissed = 0.1;

/** A queue on a server of its own, with BullMQ's behaviour: leases that run out, keys, delays. It loses nothing it has. */
export class SimulatedQueue implements Server {
  readonly name = "queue";
  downUntilMs = 0;
  readonly #options: QueueOptions;
  readonly #channels = { records: new Map<string, Entry>(), vectors: new Map<string, Entry>() };
  readonly #listeners = new Map<Life, (channel: Channel) => void>();
  #keys = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  brokenOff(what: string): Error {
    return new Error(`connection lost (${what})`);
  }

  stop(durationMs: number): void {
    this.downUntilMs = this.#options.world.nowMs + durationMs;
  }

  /** The broker, as a process has it. */
  openFor(life: Life): LeaseBroker {
    return {
      name: "the simulated queue",
      leaseMs: this.#options.leaseMs,
      put: (channel, packet, key) => {
        const text = encodePacket(packet);
        return life.call(this, `put ${channel}`, ({ give }) => {
          this.#put(channel, text, packet.envelopes, key);
          give(undefined);
        });
      },
      take: <C extends Channel>(channel: C) =>
        life.call<Lease<C> | null>(this, `take ${channel}`, ({ give }) => give(this.#take(life, channel))),
      renew: async <C extends Channel>(channel: C, leases: readonly Lease<C>[]) => {
        const lost = await life.call<readonly SimulatedLease[]>(this, `renew ${channel}`, ({ give }) =>
          give((leases as readonly SimulatedLease[]).filter((lease) => !this.#renew(channel, lease))),
        );
        for (const lease of lost) lease.knownLost = true;
        return lost as readonly SimulatedLease<C>[];
      },
      backlog: (channel) => life.call(this, "count", ({ give }) => give(this.backlog(channel))),
      oldestAgeMs: (channel) =>
        life.call(this, "ask the age", ({ give }) => give(this.#oldestAgeMs(channel))),
      subscribe: (onArrival) => {
        this.#listeners.set(life, onArrival);
      },
      close: async () => {
        this.#listeners.delete(life);
      },
    };
  }

  backlog(channel: Channel): Backlog {
    let inFlight = 0;
    for (const { lease } of this.#channels[channel].values()) if (lease !== null) inFlight += 1;
    return { waiting: this.#channels[channel].size - inFlight, inFlight };
  }

  get isEmpty(): boolean {
    return channels.every((channel) => this.#channels[channel].size === 0);
  }

  #put(channel: Channel, text: string, envelopes: readonly RecordEnvelope[], key: string | null): void {
    const { world, judge } = this.#options;
    const entries = this.#channels[channel];
    const copies = key === null && world.chance.happens(this.#options.doubles()) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#keys += 1;
      const id = key === null ? `unnamed ${this.#keys}` : `key ${key}`;
      if (entries.has(id)) continue;
      const { nowMs } = world;
      entries.set(id, {
        text,
        envelopes,
        sentAtMs: nowMs,
        attempt: 0,
        dueAtMs: 0,
        lease: null,
        leaseEndsAtMs: 0,
      });
      world.note("queue:", channel, id, "is put:", namesOf(envelopes));
    }
    judge.durable(channel, envelopes);
    this.#options.onPut();
    this.#announce(channel);
  }

  #take<C extends Channel>(life: Life, channel: C): Lease<C> | null {
    const { world } = this.#options;
    const due: [string, Entry][] = [];
    const anyOrder = world.chance.happens(this.#options.reorders());
    for (const [key, entry] of this.#channels[channel]) {
      const isFree = entry.lease === null ? entry.dueAtMs <= world.nowMs : entry.leaseEndsAtMs <= world.nowMs;
      if (!isFree) continue;
      due.push([key, entry]);
      if (!anyOrder) break;
    }
    if (due.length === 0) return null;
    const [key, entry] = world.chance.oneOf(due);
    entry.attempt += 1;
    const lease = this.#leaseOf(life, channel, key, entry);
    entry.lease = lease;
    entry.leaseEndsAtMs = world.nowMs + this.#options.leaseMs;
    world.note("queue:", life.host.name, "takes", channel, key, "attempt", entry.attempt);
    return lease;
  }

  #leaseOf<C extends Channel>(
    life: Life,
    channel: C,
    key: string,
    { text, attempt }: Entry,
  ): SimulatedLease<C> {
    const { judge, world } = this.#options;
    const lease: SimulatedLease<C> = {
      key,
      attempt,
      knownLost: false,
      readPacket: async () => decodePacket(channel, text) as ChannelPackets[C],
      acknowledge: () => {
        if (lease.knownLost) world.violate("P1", `${key} is acknowledged by who knows that it is another's`);
        return life.call(this, `acknowledge ${channel}`, ({ give, refuse }) => {
          const entry = this.#entryOf(channel, lease);
          if (entry === null) return refuse(new Error(`missing lock for ${key}`));
          judge.forgotten(channel, entry.envelopes, `acknowledged by ${life.host.name}`);
          this.#channels[channel].delete(key);
          world.note("queue:", life.host.name, "acknowledges", channel, key);
          give(undefined);
        });
      },
      giveBack: (delayMs) =>
        life.call(this, `give back ${channel}`, ({ give, refuse }) => {
          const entry = this.#entryOf(channel, lease);
          if (entry === null) return refuse(new Error(`missing lock for ${key}`));
          entry.lease = null;
          entry.dueAtMs = world.nowMs + delayMs;
          if (delayMs === 0) this.#announce(channel);
          give(undefined);
        }),
    };
    return lease;
  }

  #entryOf(channel: Channel, lease: SimulatedLease): Entry | null {
    const entry = this.#channels[channel].get(lease.key);
    return entry?.lease === lease ? entry : null;
  }

  #renew(channel: Channel, lease: SimulatedLease): boolean {
    const entry = this.#entryOf(channel, lease);
    if (entry === null) return false;
    entry.leaseEndsAtMs = this.#options.world.nowMs + this.#options.leaseMs;
    return true;
  }

  #oldestAgeMs(channel: Channel): number {
    const [oldest] = this.#channels[channel].values();
    return oldest === undefined ? 0 : this.#options.world.nowMs - oldest.sentAtMs;
  }

  /** Consumers are told, most of the time. */
  #announce(channel: Channel): void {
    const { world } = this.#options;
    for (const [life, onArrival] of this.#listeners) {
      if (life.ended) this.#listeners.delete(life);
      else if (!world.chance.happens(arrivalsMissed))
        world.after(world.chance.latencyMs(arrivalMs), life, () => onArrival(channel));
    }
  }
}

export function namesOf(envelopes: readonly RecordEnvelope[]): string {
  return envelopes.map(({ id, version, op }) => `${op === "delete" ? "-" : ""}${id}@${version}`).join(" ");
}
