import { setImmediate as idle } from "node:timers/promises";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type ChunkRef,
  type DeadLetter,
  decodePacket,
  encodePacket,
  MedleyError,
  type Packet,
  type RecordEnvelope,
  type StoredSegments,
  type VectorEnvelope,
  type WriteOutcome,
} from "@medley/core";
import { pipelineCounters } from "./counters.ts";
import { embed } from "./embed/embed.ts";
import { indexRows } from "./index-rows.ts";
import { MemoryStore, notes, openNotes } from "./ports.fixture.ts";
import { send } from "./produce.ts";

/** Mulberry32: the same numbers from 0 to 1 for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Where the world may go wrong, and in which order what runs at the same time goes on: all of it follows from the seed. */
export class Chance {
  readonly next: () => number;
  readonly #faultRate: number;
  readonly #waiting: (() => void)[] = [];

  constructor(seed: number, faultRate: number) {
    this.next = randomOf(seed);
    this.#faultRate = faultRate;
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  fault(): boolean {
    return this.next() < this.#faultRate;
  }

  /** Lets others go first; then does `work`, which may fail before it had an effect, or after. */
  async risk<Value>(
    code: "store_unavailable" | "transport_unavailable",
    work: () => Promise<Value>,
  ): Promise<Value> {
    await this.turn();
    if (this.fault()) throw new MedleyError(code, "cut before");
    const value = await work();
    await this.turn();
    if (this.fault()) throw new MedleyError(code, "cut after");
    return value;
  }

  turn(): Promise<void> {
    return new Promise((resume) => this.#waiting.push(resume));
  }

  get waiting(): readonly (() => void)[] {
    return this.#waiting.map((_, at) => () => this.#waiting.splice(at, 1)[0]?.());
  }
}

interface Entry {
  readonly text: string;
  readonly key: string | undefined;
  attempt: number;
  inHand: boolean;
}

/** At least once, in no order: doubles packets, and loses acknowledgements, as when a consumer dies. */
export class FaultyTransport {
  readonly unit = "packets";
  readonly queues: Record<Channel, Entry[]> = { records: [], vectors: [] };
  readonly #chance: Chance;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  send<C extends Channel>(
    channel: C,
    packet: ChannelPackets[C],
    { key }: { key?: string } = {},
  ): Promise<void> {
    return this.#chance.risk("transport_unavailable", async () => {
      const queue = this.queues[channel];
      const copies = this.#chance.fault() ? 2 : 1;
      if (key !== undefined && copies === 1 && queue.some((entry) => entry.key === key)) return;
      for (let copy = 0; copy < copies; copy += 1) {
        queue.push({ text: encodePacket(packet), key, attempt: 0, inHand: false });
      }
    });
  }

  async backlog(): Promise<Backlog> {
    return { waiting: 0, inFlight: 0 };
  }

  async deliver<C extends Channel>(
    channel: C,
    entry: Entry,
    receive: (delivery: { packet: ChannelPackets[C]; attempt: number }) => Promise<void>,
  ): Promise<void> {
    entry.inHand = true;
    entry.attempt += 1;
    try {
      await receive({ packet: decodePacket(channel, entry.text), attempt: entry.attempt });
      const queue = this.queues[channel];
      if (!this.#chance.fault()) queue.splice(queue.indexOf(entry), 1);
    } catch (error) {
      if (!(error instanceof MedleyError)) throw error;
    } finally {
      entry.inHand = false;
    }
  }
}

/** Fails before or after it commits; a commit is one moment. */
export class FaultyStore extends MemoryStore {
  readonly #chance: Chance;

  constructor(chance: Chance) {
    super();
    this.#chance = chance;
  }

  override readSegments(
    collection: string,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, StoredSegments>> {
    return this.#chance.risk("store_unavailable", () => super.readSegments(collection, ids));
  }
  override writeRows(
    collection: string,
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
  ): Promise<readonly WriteOutcome[]> {
    return this.#chance.risk("store_unavailable", () => super.writeRows(collection, envelopes, chunk));
  }
  override addDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    return this.#chance.risk("store_unavailable", () => super.addDeadLetters(letters));
  }
}

const inHandMax = 3;
// A healthy run needs some thousand.
const stepsMax = 50_000;

/** Sends the packets, some at the same time, and runs the stages until nothing is left. Throws where that takes too long. */
export async function simulate(
  chance: Chance,
  packets: readonly Packet<RecordEnvelope>[],
): Promise<FaultyStore> {
  const store = new FaultyStore(chance);
  const transport = new FaultyTransport(chance);
  const { collections } = openNotes();
  const counters = pipelineCounters();
  const { signal } = new AbortController();
  const ports = { collections, store, transport, counters };
  const producePorts = { lanes: { stream: transport, backfill: transport }, counters, backlogPacketsMax: 1 };
  const unsent = [...packets];
  let running = 0;
  let failure: unknown = null;
  const start = (work: () => Promise<void>) => () => {
    running += 1;
    work()
      .catch((error) => {
        failure ??= error;
      })
      .finally(() => {
        running -= 1;
      });
  };
  const free = (channel: Channel) => {
    const queue = transport.queues[channel];
    return queue.filter(({ inHand }) => inHand).length < inHandMax
      ? queue.filter(({ inHand }) => !inHand)
      : [];
  };
  for (let step = 0; ; step += 1) {
    const moves = [
      ...chance.waiting,
      ...free("records").map((entry) =>
        start(() => transport.deliver("records", entry, (delivery) => embed(ports, delivery, signal))),
      ),
      ...free("vectors").map((entry) =>
        start(() => transport.deliver("vectors", entry, (delivery) => indexRows(ports, delivery, signal))),
      ),
      ...unsent
        .slice(0, 1)
        .map(() => start(() => sendUntilAccepted(producePorts, unsent.shift() as Packet<RecordEnvelope>))),
    ];
    if (moves.length === 0 && running === 0) return store;
    if (step > stepsMax) throw new Error(`not drained after ${stepsMax} steps`);
    moves[chance.below(moves.length)]?.();
    await idle();
    if (failure !== null) throw failure;
  }
}

async function sendUntilAccepted(
  ports: Parameters<typeof send>[0],
  { envelopes, chunk }: Packet<RecordEnvelope>,
): Promise<void> {
  for (;;) {
    try {
      return await send(ports, notes, envelopes, chunk);
    } catch (error) {
      // It may be there all the same: whoever sends it again must do no harm.
      if (!(error instanceof MedleyError && error.retryable)) throw error;
    }
  }
}
