import { setTimeout as sleep } from "node:timers/promises";
import type { TopicMessage } from "@medley/core";
import {
  type ClusterMetadata,
  Consumer,
  type ConsumerOptions,
  findErrorBy,
  IS_CONTROL,
  ListOffsetTimestamps,
  type RecordsBatch,
} from "@platformatic/kafka";
import type { PartitionOffset } from "../log/log-consumer.ts";
import type { LogPartitionId } from "../log/log-partition.ts";
import { timings } from "./connection.ts";
import type { GroupMember, GroupOptions, MemberEvents } from "./kafka-client.ts";

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;
type BaseOptions = Pick<ConsumerOptions<Buffer, Buffer, Buffer, Buffer>, "clientId" | "bootstrapBrokers">;

/** Also how long a partition may wait to be read again that was resumed while the others had no messages. */
const fetchWaitMsMax = 250;
const fetchBytesMax = 8 * 2 ** 20;
const partitionFetchBytesMax = 2 ** 20;
const readCommitted = 1;
const faultPauseMs = 500;
const offsetOutOfRange = 1;

/** A partition of this member's. */
interface Reading {
  readonly id: LogPartitionId;
  /** Of the next message to read; null until it is known. */
  position: bigint | null;
  paused: boolean;
}

/**
 * Membership and heartbeats are the library's; reading is done here, since its streams can't pause one partition and end at
 * the first fault. A second client reads, so that a read that waits for messages never holds up a heartbeat.
 *
 * To each broker there is at most one read on its way; when it is back, or a partition was assigned or resumed, `#read` starts
 * the next ones. A read that fails is tried again after a pause with fresh metadata.
 */
export class PlatformaticMember implements GroupMember {
  readonly #member: Consumer<Buffer, Buffer, Buffer, Buffer>;
  readonly #reader: Consumer<Buffer, Buffer, Buffer, Buffer>;
  readonly #options: GroupOptions;
  readonly #events: MemberEvents;
  readonly #readings = new Map<string, Reading>();
  readonly #brokersAsked = new Set<number>();
  #memberId: string | null = null;
  #closed = false;

  constructor(base: BaseOptions, options: GroupOptions, events: MemberEvents) {
    const { group, sessionTimeoutMs, heartbeatIntervalMs } = options;
    this.#options = options;
    this.#events = events;
    this.#member = new Consumer({
      ...base,
      groupId: group,
      autocommit: false,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs, timings.rebalanceTimeoutMs),
      heartbeatInterval: heartbeatIntervalMs,
      // A broker that was killed is back within half a minute: the member keeps its place.
      retries: 60,
      retryDelay: 500,
    });
    this.#reader = new Consumer({ ...base, groupId: group, retries: 1, retryDelay: 200 });
    for (const consumer of [this.#member, this.#reader]) consumer.topics.trackAll(...options.topics);
  }

  start(): void {
    const member = this.#member;
    member.on("consumer:group:join", ({ memberId }) => {
      const continued = memberId === this.#memberId;
      this.#memberId = memberId;
      this.#assign(continued);
    });
    member.on("consumer:heartbeat:error", ({ error }) => this.#events.onFault(error));
    const end = (error: unknown) => {
      if (!this.#closed) this.#events.onEnded(error);
    };
    member.on("error", end);
    member.on("consumer:heartbeat:stalled", ({ lastError }) => end(lastError ?? new Error("no heartbeat")));
    member.joinGroup({}).catch(end);
  }

  pause(id: LogPartitionId): void {
    const reading = this.#readings.get(keyOf(id));
    if (reading !== undefined) reading.paused = true;
  }

  resume(id: LogPartitionId): void {
    const reading = this.#readings.get(keyOf(id));
    if (reading === undefined || !reading.paused) return;
    reading.paused = false;
    void this.#read();
  }

  commit(offsets: readonly PartitionOffset[]): Promise<void> {
    return this.#member.commit({ offsets: offsets.map((one) => ({ ...one, leaderEpoch: -1 })) });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#readings.clear();
    await Promise.allSettled([this.#member.close(true), this.#reader.close(true)]);
  }

  #assign(continued: boolean): void {
    const before = new Map(this.#readings);
    this.#readings.clear();
    for (const { topic, partitions } of this.#member.assignments ?? []) {
      for (const partition of partitions) {
        const id = { topic, partition };
        const kept = continued ? before.get(keyOf(id)) : undefined;
        this.#readings.set(keyOf(id), kept ?? { id, position: null, paused: false });
      }
    }
    this.#events.onAssigned(
      [...this.#readings.values()].map(({ id }) => id),
      { continued },
    );
    void this.#begin();
  }

  /** Finds out where to read on in partitions where that is not known. */
  async #begin(): Promise<void> {
    while (!this.#closed) {
      const fresh = [...this.#readings.values()].filter(({ position }) => position === null);
      if (fresh.length === 0) return this.#read();
      try {
        const committed = await this.#member.listCommittedOffsets({ topics: byTopic(fresh) });
        const without = fresh.filter((reading) => {
          const offset = committed.get(reading.id.topic)?.[reading.id.partition] ?? -1n;
          if (offset >= 0n) reading.position = offset;
          return offset < 0n;
        });
        if (without.length > 0) await this.#reset(without);
      } catch (error) {
        await this.#pauseAfter(error);
      }
    }
  }

  async #reset(readings: readonly Reading[]): Promise<void> {
    const topics = byTopic(readings);
    const offsets = await this.#reader.listOffsets({
      topics: topics.map(({ topic }) => topic),
      partitions: Object.fromEntries(topics.map(({ topic, partitions }) => [topic, partitions])),
      timestamp: this.#options.fromBeginning ? ListOffsetTimestamps.EARLIEST : ListOffsetTimestamps.LATEST,
    });
    for (const reading of readings) {
      reading.position = offsets.get(reading.id.topic)?.[reading.id.partition] ?? null;
    }
  }

  async #read(): Promise<void> {
    if (this.#closed) return;
    let metadata: ClusterMetadata;
    try {
      metadata = await this.#reader.metadata({ topics: [...this.#options.topics] });
    } catch (error) {
      await this.#pauseAfter(error);
      return this.#read();
    }
    const byBroker = Map.groupBy(
      [...this.#readings.values()].filter(({ position, paused }) => position !== null && !paused),
      ({ id }) => metadata.topics.get(id.topic)?.partitions[id.partition]?.leader ?? -1,
    );
    if (byBroker.has(-1))
      void this.#pauseAfter(new Error("a partition has no leader")).then(() => this.#read());
    for (const [broker, readings] of byBroker) {
      if (broker === -1 || this.#brokersAsked.has(broker)) continue;
      this.#brokersAsked.add(broker);
      void this.#readFrom(broker, readings, metadata);
    }
  }

  async #readFrom(broker: number, readings: readonly Reading[], metadata: ClusterMetadata): Promise<void> {
    const asked = readings.map((reading) => ({ reading, position: reading.position as bigint }));
    const topicIds = new Map<string, string>();
    const topics = asked.map(({ reading: { id }, position }) => {
      const topicId = metadata.topics.get(id.topic)?.id as string;
      topicIds.set(topicId, id.topic);
      const partition = {
        partition: id.partition,
        fetchOffset: position,
        partitionMaxBytes: partitionFetchBytesMax,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
      };
      return { topicId, partitions: [partition] };
    });
    try {
      const response = await this.#reader.fetch({
        node: broker,
        topics,
        maxWaitTime: fetchWaitMsMax,
        minBytes: 1,
        maxBytes: fetchBytesMax,
        isolationLevel: readCommitted,
      });
      this.#take(response, asked, topicIds);
    } catch (error) {
      await this.#recover(error, topicIds);
    }
    this.#brokersAsked.delete(broker);
    void this.#read();
  }

  #take(
    response: FetchResponse,
    asked: readonly { reading: Reading; position: bigint }[],
    topicIds: ReadonlyMap<string, string>,
  ): void {
    const positions = new Map(
      asked.map(({ reading, position }) => [keyOf(reading.id), { reading, position }]),
    );
    for (const { topicId, partitions } of response.responses) {
      const topic = topicIds.get(topicId);
      for (const { partitionIndex, records } of partitions) {
        const found = topic && positions.get(keyOf({ topic, partition: partitionIndex }));
        // Of a partition that was revoked, paused or began anew since it was asked for, nothing is taken.
        if (!found || !records || records.length === 0) continue;
        const { reading, position } = found;
        const isStale = this.#readings.get(keyOf(reading.id)) !== reading || reading.position !== position;
        if (isStale || reading.paused) continue;
        const last = records.at(-1) as RecordsBatch;
        reading.position = last.firstOffset + BigInt(last.lastOffsetDelta) + 1n;
        this.#events.onMessages(reading.id, messagesOf(reading.id, records, position), reading.position);
      }
    }
  }

  async #recover(error: unknown, topicIds: ReadonlyMap<string, string>): Promise<void> {
    if (this.#closed) return;
    const response = (
      findErrorBy(error as Error, "apiId", "OFFSET_OUT_OF_RANGE") as { response?: FetchResponse } | null
    )?.response;
    const lost = (response?.responses ?? []).flatMap(({ topicId, partitions }) =>
      partitions
        .filter(({ errorCode }) => errorCode === offsetOutOfRange)
        .map(({ partitionIndex }) =>
          this.#readings.get(keyOf({ topic: topicIds.get(topicId) ?? "", partition: partitionIndex })),
        ),
    );
    try {
      const readings = lost.filter((reading) => reading !== undefined);
      if (readings.length === 0) throw error;
      await this.#reset(readings);
    } catch (fault) {
      await this.#pauseAfter(fault);
    }
  }

  async #pauseAfter(error: unknown): Promise<void> {
    if (this.#closed) return;
    this.#events.onFault(error);
    this.#reader.clearMetadata();
    await sleep(faultPauseMs);
  }
}

function byTopic(readings: readonly Reading[]): { topic: string; partitions: number[] }[] {
  const groups = Map.groupBy(readings, ({ id }) => id.topic);
  return [...groups].map(([topic, of]) => ({ topic, partitions: of.map(({ id }) => id.partition) }));
}

function messagesOf(
  { topic, partition }: LogPartitionId,
  batches: readonly RecordsBatch[],
  from: bigint,
): readonly TopicMessage[] {
  const messages: TopicMessage[] = [];
  for (const { attributes, firstOffset, firstTimestamp, records } of batches) {
    if ((attributes & IS_CONTROL) !== 0) continue;
    for (const { offsetDelta, timestampDelta, key, value, headers } of records) {
      const offset = firstOffset + BigInt(offsetDelta);
      // A broker answers with whole batches, which may begin before what was asked for.
      if (offset < from) continue;
      const timestampMs = Number(firstTimestamp + timestampDelta);
      messages.push({ topic, partition, offset, key, value, headers: headersOf(headers), timestampMs });
    }
  }
  return messages;
}

const noHeaders: TopicMessage["headers"] = Object.freeze({});

function headersOf(headers: readonly [Buffer | null, Buffer | null][]): TopicMessage["headers"] {
  if (headers.length === 0) return noHeaders;
  return Object.fromEntries(headers.map(([name, value]) => [String(name), String(value ?? "")]));
}

function keyOf({ topic, partition }: LogPartitionId): string {
  return `${partition} ${topic}`;
}
