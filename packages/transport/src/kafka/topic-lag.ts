import { type Backlog, MedleyError } from "@medley/core";
import type { LogMessage, LogPartition } from "../log/log-partition.ts";
import type { Timers } from "../timers.ts";
import type { Brokers } from "./brokers.ts";

export interface TopicLagOptions {
  readonly brokers: Brokers;
  readonly topic: string;
  readonly group: string;
  /** Of the topic's partitions that this process consumes. */
  readonly windows: () => readonly Window[];
  readonly onFault: (fault: MedleyError) => void;
  readonly timers: Timers;
}

type Window = Pick<
  LogPartition<LogMessage>,
  "id" | "lowWater" | "oldestTimestampMs" | "doneAbove" | "inHand"
>;
type Standing = Awaited<ReturnType<Brokers["standing"]>>;

/**
 * What of a topic its group still has to do. Of partitions that others consume it is the distance from what is committed to the
 * end; of this process's own the windows know more: what is done and not committed yet, and what is in hand.
 */
export class TopicLag {
  readonly #options: TopicLagOptions;
  #known: { readonly standing: Standing; readonly atMs: number } | null = null;
  #asking: Promise<Standing> | null = null;
  /** Messages sent by this process since the brokers were last asked. */
  #sent = 0;
  /** When a partition of this process's was last seen with nothing to read. */
  readonly #caughtUpAtMs = new Map<number, number>();
  readonly #lost = new Map<number, bigint>();

  constructor(options: TopicLagOptions) {
    this.#options = options;
  }

  sent(messages: number): void {
    this.#sent += messages;
  }

  /** Exact, or as the brokers said at most `ageMsMax` ago, with what this process has sent and done since. */
  async backlog(ageMsMax: number): Promise<Backlog> {
    const standing = await this.#standing(ageMsMax);
    const own = this.#ownPartitions();
    let outstanding = ageMsMax === 0 ? 0 : this.#sent;
    let inFlight = 0;
    for (const [partition, ends] of standing.entries()) {
      const window = own.get(partition);
      outstanding += Number(ends.next - lowWaterOf(ends, window)) - (window?.doneAbove ?? 0);
      inFlight += window?.inHand ?? 0;
    }
    return { waiting: Math.max(outstanding - inFlight, 0), inFlight };
  }

  /** Of the oldest message of this process's partitions that is not done; null where it has no partitions. */
  async oldestAgeMs(): Promise<number | null> {
    const own = this.#ownPartitions();
    if (own.size === 0) return null;
    const standing = await this.#standing(0);
    const nowMs = Date.now();
    let oldestAtMs = nowMs;
    for (const [partition, window] of own) {
      const ends = standing[partition];
      const isCaughtUp = ends === undefined || lowWaterOf(ends, window) >= ends.next;
      if (isCaughtUp || !this.#caughtUpAtMs.has(partition)) this.#caughtUpAtMs.set(partition, nowMs);
      // What was not read yet came after everything there was had been read.
      const unreadAtMs = this.#caughtUpAtMs.get(partition) as number;
      oldestAtMs = Math.min(oldestAtMs, window.oldestTimestampMs ?? unreadAtMs);
    }
    for (const partition of this.#caughtUpAtMs.keys()) {
      if (!own.has(partition)) this.#caughtUpAtMs.delete(partition);
    }
    return nowMs - oldestAtMs;
  }

  #ownPartitions(): ReadonlyMap<number, Window> {
    return new Map(this.#options.windows().map((window) => [window.id.partition, window]));
  }

  async #standing(ageMsMax: number): Promise<Standing> {
    if (ageMsMax > 0) {
      if (this.#known !== null && this.#options.timers.nowMs() - this.#known.atMs <= ageMsMax)
        return this.#known.standing;
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = null;
      });
      return this.#asking;
    }
    return this.#ask();
  }

  async #ask(): Promise<Standing> {
    const { brokers, topic, group, timers } = this.#options;
    this.#sent = 0;
    const atMs = timers.nowMs();
    const standing = await brokers.standing(topic, group);
    this.#known = { standing, atMs };
    this.#reportLost(standing);
    return standing;
  }

  /** A topic forgets by its age, whether it was read or not. */
  #reportLost(standing: Standing): void {
    for (const [partition, { first, committed }] of standing.entries()) {
      if (committed === null || committed >= first || this.#lost.get(partition) === first) continue;
      this.#lost.set(partition, first);
      this.#options.onFault(
        new MedleyError(
          "transport_unavailable",
          `${first - committed} records of partition ${partition} of ${this.#options.topic} were deleted before they were read`,
          { mend: "raise the topic's retention.ms, send those records again, and run more consumers" },
        ),
      );
    }
  }
}

/** Of the first message that is not done, as this process knows if it consumes the partition, else as was committed. */
function lowWaterOf({ first, committed }: Standing[number], window: Window | undefined): bigint {
  return window?.lowWater ?? (committed === null || committed < first ? first : committed);
}
