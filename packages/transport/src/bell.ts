import { systemTimers, type Timers } from "./timers.ts";

/** Wakes one waiter before its time. A ring while nobody waits is kept for the next wait. */
export class Bell {
  readonly #timers: Timers;
  #rung = false;
  #waiter: (() => void) | null = null;

  constructor(timers: Timers = systemTimers) {
    this.#timers = timers;
  }

  ring(): void {
    this.#rung = true;
    this.#waiter?.();
  }

  /** Resolves at a ring, or after `timeoutMs`; with `Infinity` at a ring only. */
  async wait(timeoutMs: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const cancel =
          timeoutMs === Number.POSITIVE_INFINITY ? () => {} : this.#timers.after(timeoutMs, resolve);
        this.#waiter = () => {
          cancel();
          resolve();
        };
      });
      this.#waiter = null;
    }
    this.#rung = false;
  }
}
