import { strict as assert } from "node:assert";

/** What the window must know of a message. */
export interface LogMessage {
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly bytes: number;
  /** A message waits while an earlier one of the same order is in hand or waits for its next try. Null: it waits for none. */
  readonly order: string | null;
  /** Messages of one group make a batch. */
  readonly group: string;
}

export interface LogPartitionId {
  readonly topic: string;
  readonly partition: number;
}

/** Messages of one partition and group, in the order of their offsets. */
export interface LogBatch<M extends LogMessage> {
  readonly messages: readonly M[];
  /** Resolves when the effects are durable; after a rejection it is called again. */
  receive(attempt: number, signal: AbortSignal): Promise<void>;
}

/** A batch from when it is made until it is done or its partition is revoked. */
export interface HeldBatch<M extends LogMessage> {
  readonly partition: LogPartition<M>;
  readonly batch: LogBatch<M>;
  readonly entries: readonly Entry<M>[];
  attempt: number;
  /** While it is in hand. */
  abort: AbortController | null;
  /** While it waits for its next try. */
  cancelRetry: (() => void) | null;
}

interface Entry<M extends LogMessage> {
  /** Null once it is done. */
  message: M | null;
}

export interface BatchBounds {
  readonly batchMessagesMax: number;
  readonly batchBytesMax: number;
}

/**
 * The window over one partition: messages that were read, from the first one that is not done. `lowWater` is the offset of
 * that one, and what may be committed: everything below it is done. Messages wait by group; batches are made of what waits
 * and is not held up by its order. Done messages above the low-water mark stay counted, without their contents, so that a
 * message that keeps failing bounds how far the others may go ahead of it.
 */
export class LogPartition<M extends LogMessage> {
  readonly id: LogPartitionId;
  readonly #bounds: BatchBounds;
  readonly #batchesOf: (messages: readonly M[]) => readonly LogBatch<M>[];
  readonly #waiting = new Map<string, Queue<Entry<M>>>();
  readonly #window = new Queue<Entry<M>>();
  readonly #ordersHeld = new Set<string>();
  /** Made or due again, not yet in hand. */
  readonly #ready: HeldBatch<M>[] = [];
  readonly held = new Set<HeldBatch<M>>();
  #nextOffset: bigint | null = null;
  #bytes = 0;
  #doneAbove = 0;
  #inHand = 0;
  /** The highest low-water mark known to be committed. */
  committed: bigint | null = null;
  /** No longer this process's. */
  revoked = false;
  /** Asked for no more messages. */
  full = false;

  constructor(
    id: LogPartitionId,
    bounds: BatchBounds,
    batchesOf: (messages: readonly M[]) => readonly LogBatch<M>[],
  ) {
    this.id = id;
    this.#bounds = bounds;
    this.#batchesOf = batchesOf;
  }

  /** Null before anything was read. */
  get lowWater(): bigint | null {
    return this.#window.first?.message?.offset ?? this.#nextOffset;
  }

  /** Of the message at the low-water mark; null where all that was read is done. */
  get oldestTimestampMs(): number | null {
    return this.#window.first?.message?.timestampMs ?? null;
  }

  /** Messages from the low-water mark on, done ones included. */
  get count(): number {
    return this.#window.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Messages done above the low-water mark. */
  get doneAbove(): number {
    return this.#doneAbove;
  }

  /** Messages with receivers. */
  get inHand(): number {
    return this.#inHand;
  }

  /**
   * Takes what was read, in order. What is known already is skipped: after a rebalance a client reads again from the committed
   * offset. `nextOffset` is where reading goes on; it is beyond the last message where a log has entries that are no messages.
   */
  append(messages: readonly M[], nextOffset: bigint): void {
    for (const message of messages) {
      if (this.#nextOffset !== null && message.offset < this.#nextOffset) continue;
      this.#nextOffset = message.offset + 1n;
      const entry: Entry<M> = { message };
      this.#window.push(entry);
      let queue = this.#waiting.get(message.group);
      if (queue === undefined) {
        queue = new Queue();
        this.#waiting.set(message.group, queue);
      }
      queue.push(entry);
      this.#bytes += message.bytes;
    }
    if (this.#nextOffset === null || nextOffset > this.#nextOffset) this.#nextOffset = nextOffset;
  }

  /** The next batch to be received; null where none can be. */
  take(): HeldBatch<M> | null {
    if (this.#ready.length === 0) this.#make();
    const next = this.#ready.shift() ?? null;
    if (next !== null) this.#inHand += next.entries.length;
    return next;
  }

  /** The batch's effects are durable. */
  finish(held: HeldBatch<M>): void {
    this.#inHand -= held.entries.length;
    this.held.delete(held);
    for (const entry of held.entries) {
      const message = entry.message as M;
      this.#bytes -= message.bytes;
      if (message.order !== null) this.#ordersHeld.delete(message.order);
      entry.message = null;
      this.#doneAbove += 1;
    }
    while (this.#window.length > 0 && this.#window.first?.message === null) {
      this.#window.shift();
      this.#doneAbove -= 1;
    }
  }

  /** The batch waits for its next try; others go on. */
  putAside(held: HeldBatch<M>): void {
    this.#inHand -= held.entries.length;
  }

  /** A batch put aside may be taken again, before new ones. */
  putBack(held: HeldBatch<M>): void {
    this.#ready.unshift(held);
  }

  #make(): void {
    const entries = this.#takeWaiting();
    if (entries.length === 0) return;
    const byMessage = new Map(entries.map((entry) => [entry.message as M, entry]));
    for (const batch of this.#batchesOf([...byMessage.keys()])) {
      const own = batch.messages.map((message) => {
        const entry = byMessage.get(message);
        assert(entry !== undefined, "batches are made of the messages given, each once");
        byMessage.delete(message);
        return entry;
      });
      const held = {
        partition: this,
        batch,
        entries: own,
        attempt: 1,
        abort: null,
        cancelRetry: null,
      };
      this.held.add(held);
      this.#ready.push(held);
    }
    assert(byMessage.size === 0, "batches are made of all the messages given");
  }

  /** From the group whose first message is the oldest of those that can go on. */
  #takeWaiting(): readonly Entry<M>[] {
    let oldest: { group: string; queue: Queue<Entry<M>>; offset: bigint } | null = null;
    for (const [group, queue] of this.#waiting) {
      const first = queue.first?.message as M;
      if (first.order !== null && this.#ordersHeld.has(first.order)) continue;
      if (oldest === null || first.offset < oldest.offset) oldest = { group, queue, offset: first.offset };
    }
    if (oldest === null) return [];
    const { group, queue } = oldest;
    const taken: Entry<M>[] = [];
    let bytes = 0;
    while (queue.length > 0 && taken.length < this.#bounds.batchMessagesMax) {
      const entry = queue.first as Entry<M>;
      const message = entry.message as M;
      if (message.order !== null && this.#ordersHeld.has(message.order)) break;
      if (taken.length > 0 && bytes + message.bytes > this.#bounds.batchBytesMax) break;
      bytes += message.bytes;
      taken.push(entry);
      queue.shift();
    }
    for (const entry of taken) {
      const order = (entry.message as M).order;
      if (order !== null) this.#ordersHeld.add(order);
    }
    if (queue.length === 0) this.#waiting.delete(group);
    return taken;
  }
}

/** First in, first out, in constant time on average. */
class Queue<Item> {
  #items: Item[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): Item | undefined {
    return this.#items[this.#head];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): void {
    this.#head += 1;
    if (this.#head < 1_024 || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}
