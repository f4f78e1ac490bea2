import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";

interface Caller {
  readonly inputs: number;
  readonly admitted: PromiseWithResolvers<void>;
}

/**
 * Lets at most `inputsMax` inputs into the queue at once, in the order in which their callers came, so memory does not
 * grow with load. At most `callersMax` callers wait; one more is refused with `encoder_unavailable`.
 */
export class Admission {
  readonly #inputsMax: number;
  readonly #callersMax: number;
  readonly #waiting: Caller[] = [];
  #inputs = 0;

  constructor(options: { inputsMax: number; callersMax: number }) {
    this.#inputsMax = options.inputsMax;
    this.#callersMax = options.callersMax;
  }

  /** Runs `work` on `inputs` inputs when there is room. Rejects with the signal's reason while it waits. */
  async enter<Value>(inputs: number, work: () => Promise<Value>, signal?: AbortSignal): Promise<Value> {
    assert(inputs <= this.#inputsMax, "one caller brings more inputs than are ever admitted");
    signal?.throwIfAborted();
    if (this.#waiting.length > 0 || this.#inputs + inputs > this.#inputsMax) await this.#wait(inputs, signal);
    else this.#inputs += inputs;
    try {
      return await work();
    } finally {
      this.#inputs -= inputs;
      this.#admit();
    }
  }

  async #wait(inputs: number, signal?: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#callersMax) {
      throw new MedleyError(
        "encoder_unavailable",
        `${this.#waiting.length} calls wait for the model already`,
        {
          mend: "send less at a time, or try again later",
        },
      );
    }
    const caller: Caller = { inputs, admitted: Promise.withResolvers() };
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
      if (next === undefined || this.#inputs + next.inputs > this.#inputsMax) return;
      this.#waiting.shift();
      this.#inputs += next.inputs;
      next.admitted.resolve();
    }
  }
}
