import {
  type Channel,
  channels,
  decodePacket,
  packetRecordsMax,
  type RecordEnvelope,
  type TopicMessage,
} from "@medley/core";
import type { KafkaClient, LogPartitionId, NewMessage } from "@medley/transport/state-machines";
import { ConsumerGroup } from "./consumer-group.ts";
import type { Answer, Life, Server } from "./host.ts";
import type { Judge } from "./judge.ts";
import { LogClient } from "./log-client.ts";
import { LogWindow } from "./log-window.ts";
import { namesOf } from "./queue.ts";
import type { World } from "./world.ts";

export const topicPrefix = "simulated";

export interface LogOptions {
  readonly world: World;
  readonly judge: Judge;
  readonly partitions: number;
  readonly sessionTimeoutMs: number;
  /** That a consumer may hold, as its transport was told (promise P5). */
  readonly messagesInFlightMax: number;
  /** Where a member commits, of what it says is done: what a mutation test replaces. */
  readonly commits: "as told" | "highest acknowledged";
  readonly onAppend: () => void;
}

interface Entry {
  readonly message: TopicMessage;
  readonly envelope: RecordEnvelope;
}

interface Waiter {
  readonly positions: readonly (LogPartitionId & { offset: bigint })[];
  readonly answer: Answer<readonly Fetched[]>;
  answered: boolean;
}

export interface Fetched extends LogPartitionId {
  readonly messages: readonly TopicMessage[];
  readonly nextOffset: bigint;
}

const fetchWaitMsMax = 5_000;
const fetchMessagesMax = 20;

/** A log with Kafka's behaviour: partitions that keep their order, groups, offsets. It loses nothing it has. */
export class SimulatedLog implements Server {
  readonly name = "log";
  downUntilMs = 0;
  readonly options: LogOptions;
  readonly #topics = new Map<string, Entry[][]>();
  readonly #groups = new Map<string, ConsumerGroup>();
  #waiters: Waiter[] = [];
  #takenBack = false;
  /** By process, then by topic and partition. */
  readonly #windows = new Map<Life, Map<string, LogWindow>>();

  constructor(options: LogOptions) {
    this.options = options;
    for (const channel of channels) {
      this.#topics.set(
        topicOf(channel),
        Array.from({ length: options.partitions }, () => []),
      );
    }
  }

  brokenOff(what: string): Error {
    return new Error(`no broker answers (${what})`);
  }

  stop(durationMs: number): void {
    this.downUntilMs = this.options.world.nowMs + durationMs;
  }

  openFor(life: Life): KafkaClient {
    return new LogClient(this, life);
  }

  group(name: string): ConsumerGroup {
    let group = this.#groups.get(name);
    if (group === undefined) {
      const { world, sessionTimeoutMs } = this.options;
      // A group is named like the one topic it reads.
      const partitions = this.#partitionsOf(name).map((_, partition) => ({ topic: name, partition }));
      const rebalanceTimeoutMs = Math.max(sessionTimeoutMs, 30_000);
      group = new ConsumerGroup({ world, name, partitions, sessionTimeoutMs, rebalanceTimeoutMs });
      this.#groups.set(name, group);
    }
    return group;
  }

  partitionOf(topic: string, key: string): number {
    let hash = 0;
    for (let at = 0; at < key.length; at += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) >>> 0;
    return hash % this.#partitionsOf(topic).length;
  }

  append(topic: string, partition: number, added: readonly NewMessage[]): void {
    const { world, judge } = this.options;
    const channel = channelOf(topic);
    const entries = this.#partitionsOf(topic)[partition] as Entry[];
    const envelopes: RecordEnvelope[] = [];
    for (const { key, value } of added) {
      const [envelope] = decodePacket(channel, value as string).envelopes as readonly RecordEnvelope[];
      if (envelope === undefined) throw new Error("a message holds one envelope");
      envelopes.push(envelope);
      const message: TopicMessage = {
        topic,
        partition,
        offset: BigInt(entries.length),
        key: Buffer.from(key as string),
        value: Buffer.from(value as string),
        headers: {},
        timestampMs: Math.floor(world.nowMs),
      };
      entries.push({ message, envelope });
    }
    world.note("log:", channel, partition, "takes from", entries.length - added.length, namesOf(envelopes));
    judge.durable(channel, envelopes);
    this.options.onAppend();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) this.#answer(waiter, false);
  }

  /** Answers when there is something, or nothing has come for a while. */
  fetch(positions: Waiter["positions"], answer: Waiter["answer"]): void {
    this.#answer({ positions, answer, answered: false }, true);
  }

  #answer(waiter: Waiter, isNew: boolean): void {
    if (waiter.answered) return;
    const { world } = this.options;
    const found: Fetched[] = [];
    for (const { topic, partition, offset } of waiter.positions) {
      const entries = this.#partitionsOf(topic)[partition] as Entry[];
      const start = Number(offset);
      if (start >= entries.length) continue;
      const read = entries.slice(start, start + world.chance.between(1, fetchMessagesMax));
      const messages = read.map(({ message }) => message);
      found.push({ topic, partition, messages, nextOffset: offset + BigInt(read.length) });
    }
    if (found.length > 0) {
      waiter.answered = true;
      waiter.answer.give(found);
      return;
    }
    this.#waiters.push(waiter);
    if (!isNew) return;
    world.after(fetchWaitMsMax, null, () => {
      if (waiter.answered) return;
      waiter.answered = true;
      this.#waiters = this.#waiters.filter((one) => one !== waiter);
      waiter.answer.give([]);
    });
  }

  endOf(topic: string): readonly bigint[] {
    return this.#partitionsOf(topic).map((entries) => BigInt(entries.length));
  }

  /** The member's offsets. What they pass over must be durable elsewhere. Throws `GroupError`. */
  commit(
    life: Life,
    name: string,
    member: { memberId: string; generation: number },
    told: readonly (LogPartitionId & { offset: bigint })[],
  ): void {
    const group = this.group(name);
    const before = told.map((one) => group.committed(one) ?? 0n);
    const offsets = this.options.commits === "as told" ? told : told.map((one) => this.#highest(life, one));
    group.commit(member.memberId, member.generation, offsets);
    for (const [at, { topic, partition, offset }] of offsets.entries()) {
      const passed = (this.#partitionsOf(topic)[partition] as Entry[]).slice(
        Number(before[at]),
        Number(offset),
      );
      this.options.world.note("log:", life.host.name, "commits", topic, partition, "at", offset);
      this.options.judge.forgotten(
        channelOf(topic),
        passed.map(({ envelope }) => envelope),
        `offset ${offset} of partition ${partition} committed by ${life.host.name}`,
      );
    }
  }

  /** What waits in the channel, or is in hand. */
  left(channel: Channel): number {
    const topic = topicOf(channel);
    const group = this.group(topic);
    return this.#partitionsOf(topic).reduce((left, entries, partition) => {
      const after = entries.slice(Number(group.committed({ topic, partition }) ?? 0n));
      if (!this.#takenBack) return left + after.length;
      return left + after.filter(({ envelope }) => !this.options.judge.isSettled(channel, envelope)).length;
    }, 0);
  }

  /**
   * A member missed an assignment, so what it commits next may take back what another has committed in between. That costs a
   * delivery again, whenever the partition changes hands, and loses nothing: it is not counted as left.
   */
  missedAssignment(): void {
    this.#takenBack = true;
  }

  /** Of the topic these partitions are the process's now, and no others; what it had of them stays where it `continued`. */
  assigned(
    life: Life,
    topic: string,
    partitions: readonly LogPartitionId[],
    { continued }: { continued: boolean },
  ): void {
    const before = this.#windows.get(life) ?? new Map<string, LogWindow>();
    const windows = new Map([...before].filter(([key]) => !key.startsWith(topic)));
    for (const id of partitions) {
      const kept = continued ? before.get(keyOf(id)) : undefined;
      windows.set(keyOf(id), kept ?? new LogWindow());
    }
    this.#windows.set(life, windows);
  }

  /** The process is given messages. */
  gave(life: Life, id: LogPartitionId, messages: readonly TopicMessage[]): void {
    const windows = this.#windows.get(life);
    const window = windows?.get(keyOf(id));
    if (windows === undefined || window === undefined) return;
    const entries = this.#partitionsOf(id.topic)[id.partition] as Entry[];
    for (const { offset } of messages)
      window.give(Number(offset), (entries[Number(offset)] as Entry).envelope);
    const shares = [...windows.keys()].filter((key) => key.startsWith(id.topic)).length;
    const share = Math.max(this.options.messagesInFlightMax / shares, packetRecordsMax);
    if (window.length > share + fetchMessagesMax)
      this.options.world.violate("P5", `${life.host.name} holds ${window.length} messages of ${keyOf(id)}`);
  }

  /** A stage of the process has resolved for these. */
  acknowledged(life: Life, channel: Channel, envelopes: readonly RecordEnvelope[]): void {
    for (const [key, window] of this.#windows.get(life) ?? []) {
      if (key.startsWith(topicOf(channel))) for (const envelope of envelopes) window.acknowledge(envelope);
    }
  }

  #highest(life: Life, told: LogPartitionId & { offset: bigint }): LogPartitionId & { offset: bigint } {
    const next = BigInt((this.#windows.get(life)?.get(keyOf(told))?.highestAcknowledged ?? -1) + 1);
    return next > told.offset ? { ...told, offset: next } : told;
  }

  #partitionsOf(topic: string): Entry[][] {
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) throw new Error(`there is no topic ${topic}`);
    return partitions;
  }
}

function topicOf(channel: Channel): string {
  return `${topicPrefix}-${channel}`;
}

function keyOf({ topic, partition }: LogPartitionId): string {
  return `${topic} ${partition}`;
}

function channelOf(topic: string): Channel {
  return topic.slice(topicPrefix.length + 1) as Channel;
}
