import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import { backoffMs } from "../backoff.ts";
import { systemTimers, type Timers } from "../timers.ts";
import {
  type BatchBounds,
  type HeldBatch,
  type LogBatch,
  type LogMessage,
  LogPartition,
  type LogPartitionId,
} from "./log-partition.ts";

export interface LogConsumerOptions<M extends LogMessage> extends BatchBounds {
  /** Makes the batches of messages of one partition and group: each message belongs to one of them. */
  readonly batchesOf: (messages: readonly M[]) => readonly LogBatch<M>[];
  readonly batchesInFlightMax: number;
  /** Of all partitions together, from the first one not done to the last one read. A read may go over it by what it brings. */
  readonly messagesInFlightMax: number;
  readonly bytesInFlightMax: number;
  /** The partition's window is full: nothing more should be read of it, until `onRoom`. */
  readonly onFull: (partition: LogPartitionId) => void;
  readonly onRoom: (partition: LogPartitionId) => void;
  /** There is something new to commit. */
  readonly onProgress: () => void;
  readonly timers?: Timers;
  /** From 0 to 1; spreads retries. */
  readonly random?: () => number;
}

export interface PartitionOffset extends LogPartitionId {
  /** Of the first message that is not done. */
  readonly offset: bigint;
}

/**
 * Consumes the partitions of a log that belong to this process. It does no I/O: whoever reads tells it what was assigned and
 * what was read, and commits what it says is done.
 *
 * A message is *waiting* once read; *in hand* when its batch is with the receiver; *done* when the receiver resolved. A
 * rejected batch is *put aside* and is in hand again after its backoff, with the next attempt's number, while other messages
 * go on. A partition is *open*; *full* when its window reached its share of the bounds, until half of that is free; *revoked*
 * when it is assigned to another: signals of what is in hand abort, and what becomes of it is not heard. The consumer is
 * *open*, then *draining* (nothing new is taken in hand), then *closed* (all is revoked).
 *
 * Only the low-water mark is ever committed: what was done above it may be received again after a crash, and nothing is lost.
 */
export class LogConsumer<M extends LogMessage> {
  readonly #options: LogConsumerOptions<M>;
  readonly #timers: Timers;
  readonly #partitions = new Map<string, LogPartition<M>>();
  readonly #idle = Promise.withResolvers<void>();
  /** Where the next look for a batch begins, so that all partitions have their turn. */
  #turn = 0;
  #batchesInHand = 0;
  #state: "open" | "draining" | "closed" = "open";

  constructor(options: LogConsumerOptions<M>) {
    const { batchMessagesMax, batchesInFlightMax, messagesInFlightMax, bytesInFlightMax } = options;
    for (const max of [batchMessagesMax, batchesInFlightMax, messagesInFlightMax, bytesInFlightMax]) {
      assert(Number.isSafeInteger(max) && max > 0);
    }
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
  }

  /**
   * From now on these partitions are this process's, and no others. With `continued` those it had stay as they are: it was a
   * member of the group all the time; else they may have been another's in between, and begin anew.
   */
  assign(partitions: readonly LogPartitionId[], { continued }: { continued: boolean }): void {
    const keys = new Set(partitions.map(keyOf));
    for (const [key, partition] of this.#partitions) {
      if (!continued || !keys.has(key)) this.#revoke(key, partition);
    }
    if (this.#state === "closed") return;
    for (const id of partitions) {
      const key = keyOf(id);
      if (this.#partitions.has(key)) continue;
      this.#partitions.set(key, new LogPartition(id, this.#options, this.#options.batchesOf));
    }
    for (const partition of this.#partitions.values()) this.#reconsider(partition);
  }

  /** Messages of a partition, in order; of one that is not this process's they are passed over. See `LogPartition.append`. */
  append(id: LogPartitionId, messages: readonly M[], nextOffset: bigint): void {
    const partition = this.#partitions.get(keyOf(id));
    if (partition === undefined) return;
    partition.append(messages, nextOffset);
    this.#reconsider(partition);
    this.#dispatch();
    // The first commit also keeps the place of a group that has none yet.
    if (partition.committed === null || partition.count === 0) this.#options.onProgress();
  }

  /** Its windows, for counting; revoked ones are left out. */
  get partitions(): readonly LogPartition<M>[] {
    return [...this.#partitions.values()];
  }

  /** What can be committed and is not known to be. */
  get uncommitted(): readonly PartitionOffset[] {
    const offsets: PartitionOffset[] = [];
    for (const { id, lowWater, committed } of this.#partitions.values()) {
      if (lowWater !== null && lowWater !== committed) offsets.push({ ...id, offset: lowWater });
    }
    return offsets;
  }

  /** These offsets were committed. */
  committed(offsets: readonly PartitionOffset[]): void {
    for (const { offset, ...id } of offsets) {
      const partition = this.#partitions.get(keyOf(id));
      if (partition !== undefined) partition.committed = offset;
    }
  }

  /** Takes nothing new in hand; resolves when nothing is. */
  drain(): Promise<void> {
    if (this.#state === "open") this.#state = "draining";
    this.#settleIdle();
    return this.#idle.promise;
  }

  /** Revokes everything. */
  close(): void {
    this.#state = "closed";
    for (const [key, partition] of this.#partitions) this.#revoke(key, partition);
    this.#settleIdle();
  }

  #revoke(key: string, partition: LogPartition<M>): void {
    partition.revoked = true;
    this.#partitions.delete(key);
    const { topic, partition: number } = partition.id;
    for (const { abort, cancelRetry } of partition.held) {
      cancelRetry?.();
      abort?.abort(
        new MedleyError(
          "transport_unavailable",
          `partition ${number} of ${topic} is no longer this consumer's`,
        ),
      );
    }
  }

  #dispatch(): void {
    while (this.#state === "open" && this.#batchesInHand < this.#options.batchesInFlightMax) {
      const held = this.#takeNext();
      if (held === null) return;
      void this.#deliver(held);
    }
  }

  #takeNext(): HeldBatch<M> | null {
    const partitions = this.partitions;
    for (let step = 0; step < partitions.length; step += 1) {
      const at = (this.#turn + step) % partitions.length;
      const held = (partitions[at] as LogPartition<M>).take();
      if (held === null) continue;
      this.#turn = at + 1;
      return held;
    }
    return null;
  }

  async #deliver(held: HeldBatch<M>): Promise<void> {
    const { partition, batch, attempt } = held;
    const abort = new AbortController();
    held.abort = abort;
    this.#batchesInHand += 1;
    let accepted = true;
    try {
      await batch.receive(attempt, abort.signal);
    } catch {
      // The receiver has said why, where it knows more: here it only means once more.
      accepted = false;
    }
    held.abort = null;
    this.#batchesInHand -= 1;
    if (!partition.revoked) {
      if (accepted) this.#finish(held);
      else this.#retry(held);
    }
    this.#settleIdle();
    this.#dispatch();
  }

  #finish(held: HeldBatch<M>): void {
    const { partition } = held;
    const before = partition.lowWater;
    partition.finish(held);
    this.#reconsider(partition);
    if (partition.lowWater !== before) this.#options.onProgress();
  }

  #retry(held: HeldBatch<M>): void {
    const { partition } = held;
    partition.putAside(held);
    const delayMs = backoffMs(held.attempt, this.#options.random);
    held.attempt += 1;
    held.cancelRetry = this.#timers.after(delayMs, () => {
      held.cancelRetry = null;
      partition.putBack(held);
      this.#dispatch();
    });
  }

  /** Whether the partition is full or has room again. */
  #reconsider(partition: LogPartition<M>): void {
    const { batchMessagesMax, messagesInFlightMax, bytesInFlightMax } = this.#options;
    const shares = this.#partitions.size;
    const messagesMax = Math.max(messagesInFlightMax / shares, batchMessagesMax);
    const bytesMax = bytesInFlightMax / shares;
    const { count, bytes, full, id } = partition;
    if (!full && (count >= messagesMax || bytes >= bytesMax)) {
      partition.full = true;
      this.#options.onFull(id);
    } else if (full && count <= messagesMax / 2 && bytes <= bytesMax / 2) {
      partition.full = false;
      this.#options.onRoom(id);
    }
  }

  #settleIdle(): void {
    if (this.#state !== "open" && this.#batchesInHand === 0) this.#idle.resolve();
  }
}

function keyOf({ topic, partition }: LogPartitionId): string {
  return `${partition} ${topic}`;
}
