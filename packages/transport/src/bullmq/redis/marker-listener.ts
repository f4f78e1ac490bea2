import type { Redis } from "ioredis";

export interface MarkerListenerOptions {
  /** The listener's own, which it closes: it is blocked while it waits. */
  readonly redis: Redis;
  /** Of BullMQ's marker of a queue. */
  readonly key: string;
  readonly blockMsMax: number;
  /** Whether an arrival would be taken now. */
  readonly isIdle: () => boolean;
  readonly onArrival: () => void;
  readonly onFault: (error: unknown) => void;
}

/**
 * Hears that a queue got a job the way BullMQ's own workers do: a job's arrival sets the queue's marker, and one of those
 * blocked on it takes the marker and looks. Whoever finds a job sets the marker again for the next, so one arrival wakes one
 * process, not all.
 *
 * States: idle -> waiting (`listen`) -> idle (a marker, the end of the wait, a fault) ...; closed. A marker got while nobody
 * here would take the job is put back for others. What is missed (a process that ends with a marker in hand) is found
 * by polling.
 */
export class MarkerListener {
  readonly #options: MarkerListenerOptions;
  #waiting: Promise<void> | null = null;
  #closed = false;

  constructor(options: MarkerListenerOptions) {
    this.#options = options;
  }

  /** Waits for the next arrival, unless it does already. */
  listen(): void {
    if (this.#closed || this.#waiting !== null) return;
    this.#waiting = this.#wait().finally(() => {
      this.#waiting = null;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.redis.disconnect();
    await this.#waiting;
  }

  async #wait(): Promise<void> {
    const { redis, key, blockMsMax, isIdle, onArrival, onFault } = this.#options;
    try {
      if (redis.status === "wait") await redis.connect();
      // Not yet connected again: its errors are told by the connection, and the next poll comes back here.
      if (redis.status !== "ready") return;
      const marker = await redis.bzpopmin(key, blockMsMax / 1_000);
      if (marker === null) return;
      if (isIdle()) onArrival();
      else await redis.zadd(key, 0, "0");
    } catch (error) {
      if (!this.#closed) onFault(error);
    }
  }
}
