import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { LogConsumer, type LogConsumerOptions } from "./log-consumer.ts";
import type { LogMessage, LogPartitionId } from "./log-partition.ts";

interface Received {
  readonly group: string;
  readonly offsets: readonly number[];
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly done: PromiseWithResolvers<void>;
}

/** A consumer whose receivers and timers are in the test's hands. */
class Bench {
  readonly received: Received[] = [];
  readonly timers: { dueMs: number; act: () => void }[] = [];
  readonly full: number[] = [];
  readonly room: number[] = [];
  progress = 0;
  readonly consumer: LogConsumer<LogMessage>;

  constructor(options: Partial<LogConsumerOptions<LogMessage>> = {}) {
    this.consumer = new LogConsumer({
      batchMessagesMax: 3,
      batchBytesMax: 1_000,
      batchesInFlightMax: 10,
      messagesInFlightMax: 100,
      bytesInFlightMax: 1_000_000,
      batchesOf: (messages) => [
        {
          messages,
          receive: (attempt, signal) => {
            const done = Promise.withResolvers<void>();
            const group = messages[0]?.group ?? "";
            const offsets = messages.map(({ offset }) => Number(offset));
            this.received.push({ group, offsets, attempt, signal, done });
            return done.promise;
          },
        },
      ],
      onFull: ({ partition }) => this.full.push(partition),
      onRoom: ({ partition }) => this.room.push(partition),
      onProgress: () => {
        this.progress += 1;
      },
      timers: {
        nowMs: () => 0,
        after: (delayMs, act) => {
          const timer = { dueMs: delayMs, act };
          this.timers.push(timer);
          return () => this.timers.splice(this.timers.indexOf(timer), 1);
        },
      },
      random: () => 0,
      ...options,
    });
  }

  assign(partitions: readonly number[], continued = true): void {
    this.consumer.assign(partitions.map(partitionOf), { continued });
  }

  /** Messages at these offsets; `of` says their order or group. */
  append(partition: number, offsets: readonly number[], of: Partial<LogMessage> = {}): void {
    const messages = offsets.map((offset) => messageAt(offset, of));
    this.consumer.append(partitionOf(partition), messages, BigInt((offsets.at(-1) ?? 0) + 1));
  }

  get inHand(): readonly Received[] {
    return this.received.filter(({ done }) => !settled.has(done));
  }

  async resolve(...offsets: readonly number[]): Promise<void> {
    await this.#settle(offsets, (done) => done.resolve());
  }

  async reject(...offsets: readonly number[]): Promise<void> {
    await this.#settle(offsets, (done) => done.reject(new Error("not yet")));
  }

  async #settle(offsets: readonly number[], act: (done: Received["done"]) => void): Promise<void> {
    for (const { offsets: held, done } of this.inHand) {
      if (!held.some((offset) => offsets.includes(offset))) continue;
      settled.add(done);
      act(done);
    }
    await turn();
  }

  /** Offsets that may be committed, by partition. */
  get marks(): Readonly<Record<number, number>> {
    return Object.fromEntries(this.consumer.uncommitted.map((one) => [one.partition, Number(one.offset)]));
  }
}

const settled = new WeakSet<Received["done"]>();

function partitionOf(partition: number): LogPartitionId {
  return { topic: "t", partition };
}

function messageAt(offset: number, of: Partial<LogMessage> = {}): LogMessage {
  return { offset: BigInt(offset), timestampMs: offset, bytes: 10, order: null, group: "g", ...of };
}

test("what may be committed is the first message that is not done", async () => {
  const bench = new Bench({ batchMessagesMax: 1 });
  bench.assign([0]);
  bench.append(0, [5, 6, 7, 8]);
  expect(bench.marks).toEqual({ 0: 5 });
  await bench.resolve(6, 8);
  expect(bench.marks).toEqual({ 0: 5 });
  expect(bench.consumer.partitions[0]).toMatchObject({ doneAbove: 2, inHand: 2, oldestTimestampMs: 5 });
  await bench.resolve(5);
  expect(bench.marks).toEqual({ 0: 7 });
  await bench.resolve(7);
  expect(bench.marks).toEqual({ 0: 9 });
  expect(bench.consumer.partitions[0]).toMatchObject({ doneAbove: 0, inHand: 0, oldestTimestampMs: null });
});

test("entries that are no messages are passed over", async () => {
  const bench = new Bench();
  bench.assign([0]);
  bench.consumer.append(partitionOf(0), [messageAt(4)], 6n);
  await bench.resolve(4);
  expect(bench.marks).toEqual({ 0: 6 });
  bench.consumer.append(partitionOf(0), [], 9n);
  expect(bench.marks).toEqual({ 0: 9 });
});

test("what was committed is not asked for again, what came after is", async () => {
  const bench = new Bench();
  bench.assign([0, 1]);
  bench.append(0, [0]);
  bench.append(1, [0]);
  await bench.resolve(0);
  bench.consumer.committed(bench.consumer.uncommitted);
  expect(bench.marks).toEqual({});
  bench.append(1, [1]);
  await bench.resolve(1);
  expect(bench.marks).toEqual({ 1: 2 });
});

test("a rejected batch comes again after its backoff with the next attempt's number; others go on", async () => {
  const bench = new Bench({ batchMessagesMax: 2, batchesInFlightMax: 1 });
  bench.assign([0]);
  bench.append(0, [0, 1, 2, 3]);
  await bench.reject(0);
  expect(bench.timers.map(({ dueMs }) => dueMs)).toEqual([100]);
  expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[2, 3]]);
  bench.timers[0]?.act();
  expect(bench.inHand).toHaveLength(1);
  await bench.resolve(2);
  expect(bench.inHand).toMatchObject([{ offsets: [0, 1], attempt: 2 }]);
  await bench.reject(0);
  expect(bench.timers.at(-1)?.dueMs).toBe(200);
  expect(bench.marks).toEqual({ 0: 0 });
});

test("a message waits for an earlier one of its order, in hand or put aside; a batch may hold both", async () => {
  const bench = new Bench({ batchMessagesMax: 2 });
  bench.assign([0]);
  bench.append(0, [0, 1, 2], { order: "a" });
  bench.append(0, [3], { order: "b", group: "other" });
  expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[0, 1], [3]]);
  await bench.reject(0);
  expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[3]]);
  bench.timers[0]?.act();
  await bench.resolve(0);
  expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[3], [2]]);
});

test("a batch is of one group and within its bounds; a message over the bound goes alone", () => {
  const bench = new Bench({ batchMessagesMax: 3, batchBytesMax: 25 });
  bench.assign([0]);
  bench.append(0, [0]);
  bench.append(0, [1], { bytes: 1_000 });
  bench.consumer.append(
    partitionOf(0),
    [messageAt(2), messageAt(3, { group: "h" }), messageAt(4), messageAt(5), messageAt(6, { group: "h" })],
    7n,
  );
  // The first of each call is taken in hand before the next call comes.
  expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[0], [1], [2, 4], [3, 6], [5]]);
});

test("partitions take turns", async () => {
  const bench = new Bench({ batchesInFlightMax: 1, batchMessagesMax: 1 });
  bench.assign([0, 1]);
  bench.append(0, [0, 1, 2]);
  bench.append(1, [10, 11, 12]);
  for (const offset of [0, 10, 1, 11, 2, 12]) {
    expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[offset]]);
    await bench.resolve(offset);
  }
});

test("a partition is full at its share and has room again at half of it", async () => {
  const bench = new Bench({ messagesInFlightMax: 8, batchMessagesMax: 1 });
  bench.assign([0, 1]);
  bench.append(0, [0, 1, 2]);
  expect(bench.full).toEqual([]);
  bench.append(0, [3]);
  expect(bench.full).toEqual([0]);
  // What is done above the mark still counts: a message that keeps failing bounds how far the others go.
  await bench.resolve(1, 2, 3);
  expect(bench.room).toEqual([]);
  await bench.resolve(0);
  expect(bench.room).toEqual([0]);
  bench.append(1, [0], { bytes: 600_000 });
  expect(bench.full).toEqual([0, 1]);
});

test("a revoked partition's signals abort and its late success is not heard", async () => {
  const bench = new Bench();
  bench.assign([0, 1]);
  bench.append(0, [0]);
  bench.append(1, [10]);
  bench.assign([1]);
  expect(bench.received.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  await bench.resolve(0, 10);
  expect(bench.marks).toEqual({ 1: 11 });
  // Assigned again it begins where its reader begins.
  bench.assign([0, 1]);
  bench.append(0, [0]);
  expect(bench.inHand.map(({ offsets }) => offsets)).toEqual([[0]]);
  expect(bench.marks).toEqual({ 0: 0, 1: 11 });
});

test("a retry of a revoked partition is called off, and none is made", async () => {
  const bench = new Bench({ batchMessagesMax: 1 });
  bench.assign([0]);
  bench.append(0, [0, 1]);
  await bench.reject(0);
  bench.assign([]);
  expect(bench.timers).toEqual([]);
  await bench.reject(1);
  expect(bench.timers).toEqual([]);
});

test("a partition that is kept skips what is read again; one that may have been another's does not", async () => {
  const bench = new Bench();
  bench.assign([0]);
  bench.append(0, [0, 1]);
  bench.assign([0, 1], true);
  bench.append(0, [0, 1, 2]);
  expect(bench.received.map(({ offsets }) => offsets)).toEqual([[0, 1], [2]]);
  bench.assign([0], false);
  expect(bench.received.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  bench.append(0, [0, 1, 2]);
  expect(bench.received.at(-1)?.offsets).toEqual([0, 1, 2]);
});

test("draining takes nothing new and waits for what is in hand; closing revokes", async () => {
  const bench = new Bench({ batchesInFlightMax: 1 });
  bench.assign([0]);
  bench.append(0, [0, 1, 2, 3]);
  let drained = false;
  const draining = bench.consumer.drain().then(() => {
    drained = true;
  });
  await turn();
  expect(drained).toBe(false);
  await bench.resolve(0);
  await draining;
  expect(bench.inHand).toEqual([]);
  bench.consumer.close();
  expect(bench.consumer.partitions).toEqual([]);
  bench.append(0, [4]);
  expect(bench.inHand).toEqual([]);
});

/** A log of three partitions with a consumer that may lose and get them, and what its receivers have done. */
class World {
  readonly bench = new Bench({ batchesInFlightMax: 4, messagesInFlightMax: 30 });
  readonly ends = [0, 0, 0];
  readonly committed = [0, 0, 0];
  readonly done = [new Set<number>(), new Set<number>(), new Set<number>()];
  readonly #positions = [0, 0, 0];
  #owned: readonly number[] = [0, 1, 2];
  #checked = 0;

  constructor() {
    this.bench.assign(this.#owned);
  }

  append(partition: number, count: number): void {
    this.ends[partition] = (this.ends[partition] as number) + count;
    if (this.#owned.includes(partition)) this.#read(partition);
  }

  assign(partitions: readonly number[], continued: boolean): void {
    this.bench.assign(partitions, continued);
    for (const partition of partitions) {
      if (continued && this.#owned.includes(partition)) continue;
      this.#positions[partition] = this.committed[partition] as number;
      this.#read(partition);
    }
    this.#owned = partitions;
  }

  async settle(pick: number, succeeds: boolean): Promise<void> {
    const held = this.bench.inHand[pick % Math.max(this.bench.inHand.length, 1)];
    if (held === undefined) return;
    settled.add(held.done);
    if (succeeds) held.done.resolve();
    else held.done.reject(new Error("not yet"));
    if (succeeds && !held.signal.aborted) {
      for (const offset of held.offsets) this.done[Number(held.group)]?.add(offset);
    }
    await turn();
  }

  /** Commits what may be, unless something undone is below it; and looks at the order in which messages were received. */
  check(): void {
    for (const { partition, offset } of this.bench.consumer.uncommitted) {
      this.committed[partition] = Number(offset);
      for (let below = 0; below < offset; below += 1) expect(this.done[partition]?.has(below)).toBe(true);
    }
    for (const { group, offsets } of this.bench.received.slice(this.#checked)) {
      for (const offset of offsets) {
        for (let earlier = offset - 4; earlier >= 0; earlier -= 4) {
          expect(offsets.includes(earlier) || this.done[Number(group)]?.has(earlier)).toBe(true);
        }
      }
    }
    this.#checked = this.bench.received.length;
  }

  #read(partition: number): void {
    const from = this.#positions[partition] as number;
    const end = this.ends[partition] as number;
    this.#positions[partition] = end;
    const messages = Array.from({ length: end - from }, (_, index) => {
      const offset = from + index;
      return messageAt(offset, { order: `${offset % 4}`, group: `${partition}` });
    });
    if (messages.length > 0) this.bench.consumer.append(partitionOf(partition), messages, BigInt(end));
  }
}

test("whatever happens, nothing below a mark is undone, each order is kept, and in the end all is done", async () => {
  const step = fc.record({
    kind: fc.constantFrom("append", "resolve", "reject", "due", "assign", "anew"),
    pick: fc.nat(),
    count: fc.integer({ min: 1, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const world = new World();
      for (const { kind, pick, count } of steps) {
        if (kind === "append") world.append(pick % 3, count);
        else if (kind === "due") world.bench.timers.shift()?.act();
        else if (kind === "resolve" || kind === "reject") await world.settle(pick, kind === "resolve");
        else {
          const partitions = [0, 1, 2].filter((partition) => ((pick >> partition) & 1) === 1);
          world.assign(partitions, kind === "assign");
        }
        world.check();
      }
      world.assign([0, 1, 2], true);
      while (world.bench.inHand.length + world.bench.timers.length > 0) {
        world.bench.timers.shift()?.act();
        await world.settle(0, true);
        world.check();
      }
      expect(world.committed).toEqual(world.ends);
    }),
    { numRuns: 300 },
  );
});
