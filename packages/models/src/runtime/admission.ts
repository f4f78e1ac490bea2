import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";

interface Caller {
  readonly texts: number;
  readonly admitted: PromiseWithResolvers<void>;
}

/**
 * Lets at most `textsMax` texts into the queue at once, in the order in which their callers came, so memory does not
 * grow with load. At most `callersMax` callers wait; one more is refused with `encoder_unavailable`.
 */
export class Admission {
  readonly #textsMax: number;
  readonly #callersMax: number;
  readonly #waiting: Caller[] = [];
  #texts = 0;

  constructor(options: { textsMax: number; callersMax: number }) {
    this.#textsMax = options.textsMax;
    this.#callersMax = options.callersMax;
  }

  /** Runs `work` on `texts` texts when there is room. Rejects with the signal's reason while it waits. */
  async enter<Value>(texts: number, work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    assert(texts <= this.#textsMax, "one caller brings more texts than are ever admitted");
    signal?.throwIfAborted();
    if (this.#waiting.length > 0 || this.#texts + texts > this.#textsMax) await this.#wait(texts, signal);
    else this.#texts += texts;
    try {
      return await work();
    } finally {
      this.#texts -= texts;
      this.#admit();
    }
  }

  async #wait(texts: number, signal?: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#callersMax) {
      throw new MedleyError(
        "encoder_unavailable",
        `${this.#waiting.length} calls wait for the model already`,
        {
          mend: "send less at a time, or try again later",
        },
      );
    }
    const caller: Caller = { texts, admitted: Promise.withResolvers() };
    this.#waiting.push(caller);
    const leave = () => {
      const place = this.#waiting.indexOf(caller);
      if (place < 0) return; // Admitted already.
      this.#waiting.splice(place, 1);
      caller.admitted.reject(signal?.reason);
      this.#admit();
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      await caller.admitted.promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  #admit(): void {
    while (true) {
      const next = this.#waiting[0];
      if (next === undefined || this.#texts + next.texts > this.#textsMax) return;
      this.#waiting.shift();
      this.#texts += next.texts;
      next.admitted.resolve();
    }
  }
}
