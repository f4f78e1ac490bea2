import { setTimeout as sleep } from "node:timers/promises";
import { verdictOnceDrained } from "../evidence/gather.ts";
import type { Operation } from "../workload/operations.ts";
import { operationsOf } from "../workload/operations.ts";
import { SeededRandom } from "../workload/seeded-random.ts";
import { StreamSender } from "../workload/stream-sender.ts";
import type { World } from "../world.ts";

export const batchRecords = 50;
const keys = 5_000;
const probeOperations = 6_000;
const probeSenders = 8;
const drainMsMax = 120_000;

/** Operations for the stream alone, without end: a new workload's versions begin where the last one's ended. */
export class EndlessOperations {
  readonly #random: SeededRandom;
  #pending: Operation[] = [];
  #made = 0;
  #rounds = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** The next batch. */
  take(): readonly Operation[] {
    if (this.#pending.length < batchRecords) this.#pending.push(...this.#more());
    return this.#pending.splice(0, batchRecords);
  }

  /** A round has ids of its own, so that its versions need not go on from another's. */
  #more(): readonly Operation[] {
    const round = this.#rounds++;
    const made = this.#made;
    const operations = operationsOf(this.#random.fork(), { operations: 4 * keys, keys });
    this.#made += operations.length;
    return operations.map((operation) => ({
      ...operation,
      n: made + operation.n,
      id: `r${round}-${operation.id}`,
      lane: "stream" as const,
    }));
  }
}

export interface StreamLoad {
  readonly sender: StreamSender;
  readonly operations: EndlessOperations;
  readonly stop: AbortController;
  /** Operations a second that the services get done for good. */
  readonly sustainablePerSecond: number;
}

/** What sends to the producers of a fleet that runs, and how much these keep up. */
export async function openStreamLoad(world: World, seed: number): Promise<StreamLoad> {
  const random = new SeededRandom(seed);
  const operations = new EndlessOperations(random.fork());
  const stop = new AbortController();
  const urls = () => world.fleet.of("producer").map(({ url }) => url);
  const sender = new StreamSender({ urls, journal: world.journal, random, signal: stop.signal });
  return { sender, operations, stop, sustainablePerSecond: await sustainableRate(world, sender, operations) };
}

/** Operations a second that the services get done for good, with senders that wait for their answers. */
async function sustainableRate(
  world: World,
  sender: StreamSender,
  operations: EndlessOperations,
): Promise<number> {
  const startedAtMs = performance.now();
  let sent = 0;
  const send = async () => {
    while (sent < probeOperations) {
      sent += batchRecords;
      await sender.send(operations.take());
    }
  };
  await Promise.all(Array.from({ length: probeSenders }, send));
  await verdictOnceDrained({ ...world, runs: [] }, drainMsMax);
  return sent / ((performance.now() - startedAtMs) / 1_000);
}

export interface OfferedLoad {
  readonly perSecond: number;
  readonly durationMs: number;
  /** Batches that wait for their answer at once; what arrives beyond is never sent. */
  readonly outstandingMax: number;
}

export interface LoadOutcome {
  readonly offered: number;
  /** Not sent, since too many waited for an answer already. */
  readonly heldBack: number;
  readonly answered: number;
  /** Still refused when time was up. */
  readonly givenUp: number;
}

/** Batches arrive at a fixed rate, whether or not earlier ones were answered (open loop). */
export async function offer(
  sender: StreamSender,
  operations: EndlessOperations,
  { perSecond, durationMs, outstandingMax }: OfferedLoad,
  stop: AbortController,
): Promise<LoadOutcome> {
  const outstanding = new Set<Promise<void>>();
  const counts = { offered: 0, heldBack: 0, answered: 0, givenUp: 0 };
  const startedAtMs = performance.now();
  for (;;) {
    const passedMs = performance.now() - startedAtMs;
    if (passedMs >= durationMs) break;
    const due = Math.floor((passedMs / 1_000) * (perSecond / batchRecords));
    for (; counts.offered < due; counts.offered += 1) {
      if (outstanding.size >= outstandingMax) {
        counts.heldBack += 1;
        continue;
      }
      const sending = sender.send(operations.take()).then((answered) => {
        counts[answered ? "answered" : "givenUp"] += 1;
        outstanding.delete(sending);
      });
      outstanding.add(sending);
    }
    await sleep(5);
  }
  stop.abort();
  await Promise.all(outstanding);
  return counts;
}
