import type { Transport } from "@medley/core";
import { packetRecordsMax } from "@medley/core";
import type { PipelineCounters } from "@medley/pipeline";

/** What a client that is refused should wait, where nothing better is known. */
export const retryAfterSeconds = { unavailable: 5, briefly: 1 } as const;
const secondsMax = 60;

// Clients that come back when one packet has left would be refused again: a tenth of the room should be free.
const fullShare = 0.9;
const measuredAgainMs = 1_000;

interface Sample {
  readonly atMs: number;
  readonly waiting: number;
  readonly sent: number;
}

/**
 * Estimates when a full lane has room again, from what waits and how fast it is taken: of a queue by Little's law (what
 * waits came within the age of the oldest, and leaves as fast); of a log, whose producers do not know that age, from what
 * has left since the last time, with what this process sent in between. Where several processes send, a log's rate is
 * taken to be lower than it is, as is this process's share of the room. Holds one sample; asks the lane once a second at most.
 */
export class RoomEstimate {
  readonly #lane: Pick<Transport, "unit" | "backlog" | "oldestAgeMs">;
  readonly #counters: PipelineCounters;
  readonly #waitingMax: number;
  readonly #nowMs: () => number;
  #sample: Sample | null = null;
  #measuredAtMs = Number.NEGATIVE_INFINITY;
  #seconds: Promise<number> = Promise.resolve(retryAfterSeconds.unavailable);

  constructor(options: {
    lane: Pick<Transport, "unit" | "backlog" | "oldestAgeMs">;
    counters: PipelineCounters;
    backlogPacketsMax: number;
    nowMs?: () => number;
  }) {
    this.#lane = options.lane;
    this.#counters = options.counters;
    this.#waitingMax = options.backlogPacketsMax * (options.lane.unit === "packets" ? 1 : packetRecordsMax);
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Whole seconds from 1 to 60; never rejects. */
  seconds(): Promise<number> {
    const nowMs = this.#nowMs();
    if (nowMs - this.#measuredAtMs >= measuredAgainMs) {
      this.#measuredAtMs = nowMs;
      this.#seconds = this.#measure(nowMs).catch(() => retryAfterSeconds.unavailable);
    }
    return this.#seconds;
  }

  async #measure(nowMs: number): Promise<number> {
    const [{ waiting }, ageMs] = await Promise.all([
      this.#lane.backlog("records"),
      this.#lane.oldestAgeMs("records"),
    ]);
    const perSecond = ageMs === null ? this.#drainPerSecond(waiting, nowMs) : (waiting * 1_000) / ageMs;
    if (perSecond === null) return retryAfterSeconds.unavailable;
    const excess = Math.max(waiting - this.#waitingMax * fullShare, 0);
    return excess === 0 ? 1 : Math.min(Math.max(Math.ceil(excess / perSecond), 1), secondsMax);
  }

  /** Null the first time. */
  #drainPerSecond(waiting: number, atMs: number): number | null {
    const { sent } = this.#counters.stages.produce;
    const before = this.#sample;
    this.#sample = { atMs, waiting, sent };
    if (before === null) return null;
    const drained = Math.max(before.waiting - waiting + (sent - before.sent), 0);
    return (drained * 1_000) / (atMs - before.atMs);
  }
}
