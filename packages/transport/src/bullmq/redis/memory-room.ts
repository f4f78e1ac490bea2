import { MedleyError } from "@medley/core";
import { backendName } from "./connection.ts";
import { parseInfo, type Server } from "./server.ts";

/** Of `maxmemory`, for packets that wait to be embedded. */
const shareMax = 0.8;
/** How old the last look may be. */
const lookIntervalMs = 250;

/**
 * Keeps a part of Redis' memory free. Once it is full it refuses writes, and to take a job or to be done with one is a
 * write as well: a queue that fills it can't be worked off any more. State: the last look at the server.
 */
export class MemoryRoom {
  readonly #redis: Pick<Server, "info">;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #look: Promise<number> = Promise.resolve(0);

  constructor(redis: Pick<Server, "info">) {
    this.#redis = redis;
  }

  /** Throws `MedleyError` `overloaded` while more than its share is in use. */
  async admit(): Promise<void> {
    if (performance.now() - this.#lookedAtMs > lookIntervalMs) {
      this.#lookedAtMs = performance.now();
      this.#look = this.#shareInUse().catch((error) => {
        // Whoever shared this look fails with it; the next one looks anew.
        this.#lookedAtMs = Number.NEGATIVE_INFINITY;
        throw error;
      });
    }
    const share = await this.#look;
    if (share < shareMax) return;
    throw new MedleyError("overloaded", `${backendName} uses ${Math.round(100 * share)} % of its maxmemory`, {
      mend: "send again in a moment, or give it more memory",
    });
  }

  /** 0 where there is no limit, or the server does not say. */
  async #shareInUse(): Promise<number> {
    const info = parseInfo(await this.#redis.info("memory"));
    const bytesMax = Number(info.get("maxmemory") ?? 0);
    return bytesMax === 0 ? 0 : Number(info.get("used_memory") ?? 0) / bytesMax;
  }
}
