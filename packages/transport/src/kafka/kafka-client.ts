import type { TopicMessage } from "@medley/core";
import type { PartitionOffset } from "../log/log-consumer.ts";
import type { LogPartitionId } from "../log/log-partition.ts";
import type { NewMessage } from "./topic-message.ts";

/** Of one partition. */
export interface PartitionEnds {
  /** Of the first message that is kept. */
  readonly first: bigint;
  /** Of the message that comes next. */
  readonly next: bigint;
}

export interface TopicSettings {
  readonly partitions: number;
  readonly replication: number;
  readonly retentionMs: number;
  /** Of one message, and of those sent to a partition at once. */
  readonly messageBytesMax: number;
}

/** The settings as Kafka names them. */
export function topicConfig(settings: TopicSettings): readonly { name: string; value: string }[] {
  return Object.entries({
    "cleanup.policy": "delete",
    "retention.ms": settings.retentionMs,
    "max.message.bytes": settings.messageBytesMax,
    // A message that two of three replicas have outlives any of them.
    "min.insync.replicas": settings.replication > 2 ? 2 : 1,
  }).map(([name, value]) => ({ name, value: String(value) }));
}

export interface GroupOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Where a partition has no committed offset: its first message that is kept, or what comes next. */
  readonly fromBeginning: boolean;
  /** A member that was not heard of for so long loses its partitions. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

export interface MemberEvents {
  /**
   * The partitions that are now this member's; reading begins at the offset committed. `continued`: it has been a member since
   * the assignment before, so those it had then and has now were no other's in between.
   */
  onAssigned(partitions: readonly LogPartitionId[], options: { continued: boolean }): void;
  /** What was read of a partition, in order; reading goes on at `nextOffset`. Offsets may come again after `onAssigned`. */
  onMessages(partition: LogPartitionId, messages: readonly TopicMessage[], nextOffset: bigint): void;
  /** Something failed that the client is getting over. */
  onFault(error: unknown): void;
  /** The member reads no more and won't by itself; it is to be closed. At most once. */
  onEnded(error: unknown): void;
}

/** A member of a consumer group. It keeps its heartbeat up by itself, whatever its receivers do. */
export interface GroupMember {
  pause(partition: LogPartitionId): void;
  resume(partition: LogPartitionId): void;
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  /** Leaves the group, so that its partitions are another's at once. */
  close(): Promise<void>;
}

export interface ProducerOptions {
  /** By zstd, which not every reader of others' can undo. */
  readonly compresses: boolean;
}

export interface KafkaProducer {
  /**
   * Resolves when all in-sync replicas have all messages, in order within each partition. Tries again by itself until it is
   * closed, unless a broker refuses; once it has rejected it is not to be used again, since the sequence numbers it goes on
   * with may be those of messages that were written.
   */
  send(topic: string, messages: readonly NewMessage[]): Promise<void>;
  close(): Promise<void>;
}

export interface KafkaAdmin {
  hasTopic(topic: string): Promise<boolean>;
  /** A topic that exists stays as it is. */
  createTopic(topic: string, settings: TopicSettings): Promise<void>;
  /** By partition. */
  ends(topic: string): Promise<readonly PartitionEnds[]>;
  /** By partition; null where the group has committed none. */
  committed(group: string, topic: string): Promise<readonly (bigint | null)[]>;
  close(): Promise<void>;
}

/**
 * What a library for Kafka's protocol must do; everything else (windows, retries, commits, batching, replacing what failed) is
 * written once above it. Each method opens connections of its own and rejects with the library's error.
 */
export interface KafkaClient {
  openAdmin(): Promise<KafkaAdmin>;
  openProducer(options: ProducerOptions): Promise<KafkaProducer>;
  /** Resolves once it asked to be a member; `onAssigned` follows. */
  join(options: GroupOptions, events: MemberEvents): Promise<GroupMember>;
  /** Whether the error says that a message is longer than its topic takes. */
  isTooLarge(error: unknown): boolean;
}
