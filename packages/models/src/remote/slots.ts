import { strict as assert } from "node:assert";
import { WaitingLine } from "./waiting-line.ts";

interface Caller {
  readonly ahead: boolean;
  readonly entered: PromiseWithResolvers<void>;
}

/** Requests under way: at most `slotsMax`. Who waits is bounded by the batches that are begun. */
export class Slots {
  readonly #line = new WaitingLine<Caller>();
  #free: number;

  constructor(slotsMax: number) {
    assert(slotsMax > 0);
    this.#free = slotsMax;
  }

  /** Runs `work` when there is a slot. Rejects with the signal's reason while it waits. */
  async run<Value>(ahead: boolean, signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait({ ahead, entered: Promise.withResolvers() }, signal);
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      if (next === undefined) this.#free += 1;
      else next.entered.resolve();
    }
  }

  async #wait(caller: Caller, signal: AbortSignal): Promise<void> {
    const leave = () => {
      if (this.#line.remove(caller)) caller.entered.reject(signal.reason);
    };
    this.#line.push(caller);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await caller.entered.promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }
}
