import { strict as assert } from "node:assert";

interface Waiting {
  readonly key: string;
  readonly admitted: PromiseWithResolvers<void>;
}

/**
 * Lets at most `inFlightMax` pieces of work run at once, and `perKeyMax` of one key: a host that hangs takes its own share
 * of the slots, not everyone's. The others wait in the order in which they came; how many, its owner bounds.
 */
export class Slots {
  readonly #inFlightMax: number;
  readonly #perKeyMax: number;
  readonly #inFlight = new Map<string, number>();
  readonly #waiting: Waiting[] = [];
  #total = 0;

  constructor(options: { inFlightMax: number; perKeyMax: number }) {
    assert(options.inFlightMax > 0 && options.perKeyMax > 0);
    this.#inFlightMax = options.inFlightMax;
    this.#perKeyMax = options.perKeyMax;
  }

  /** Runs `work` when there is room. Rejects with the signal's reason while it waits. */
  async run<Value>(key: string, work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
    signal.throwIfAborted();
    if (this.#hasRoom(key)) this.#take(key);
    else await this.#wait(key, signal);
    try {
      return await work();
    } finally {
      this.#release(key);
    }
  }

  async #wait(key: string, signal: AbortSignal): Promise<void> {
    const waiting: Waiting = { key, admitted: Promise.withResolvers() };
    this.#waiting.push(waiting);
    const leave = () => {
      const place = this.#waiting.indexOf(waiting);
      if (place < 0) return; // Admitted already.
      this.#waiting.splice(place, 1);
      waiting.admitted.reject(signal.reason);
    };
    signal.addEventListener("abort", leave, { once: true });
    try {
      await waiting.admitted.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  #hasRoom(key: string): boolean {
    return this.#total < this.#inFlightMax && (this.#inFlight.get(key) ?? 0) < this.#perKeyMax;
  }

  #take(key: string): void {
    this.#total++;
    this.#inFlight.set(key, (this.#inFlight.get(key) ?? 0) + 1);
  }

  #release(key: string): void {
    const left = (this.#inFlight.get(key) ?? 0) - 1;
    assert(left >= 0);
    this.#total--;
    if (left === 0) this.#inFlight.delete(key);
    else this.#inFlight.set(key, left);
    // One slot came free, so at most one may enter.
    const place = this.#waiting.findIndex((waiting) => this.#hasRoom(waiting.key));
    if (place < 0) return;
    const [next] = this.#waiting.splice(place, 1) as [Waiting];
    this.#take(next.key);
    next.admitted.resolve();
  }
}
