import { setTimeout as sleep } from "node:timers/promises";

/** How far faults may be ahead of the work, as a share of all: on a slow machine they wait. */
const faultsAheadMax = 0.15;
/** A fault comes after this long in any case, also where nothing gets done. */
const faultWaitMsMax = 10_000;

/** Keeps workload and faults in step, so that every fault meets records on their way, and few wait when the last is over. */
export class Pace {
  readonly #totals: { readonly operations: number; readonly faults: number };
  #operations = 0;
  #faults = 0;
  #moved = Promise.withResolvers<void>();

  constructor(totals: { operations: number; faults: number }) {
    this.#totals = totals;
  }

  /** Of accepted streamed operations, and of files that are indexed. */
  workDone(operations: number): void {
    this.#operations += operations;
    this.#move();
  }

  faultCame(): void {
    this.#faults += 1;
    this.#move();
  }

  /** Resolves when this share of the faults has come. */
  async workMayGoOn(share: number): Promise<void> {
    while (this.#faults < Math.floor(share * this.#totals.faults)) await this.#moved.promise;
  }

  async faultMayCome(): Promise<void> {
    const endsAtMs = performance.now() + faultWaitMsMax;
    const isAhead = () =>
      this.#faults / this.#totals.faults - this.#operations / this.#totals.operations > faultsAheadMax;
    while (isAhead()) {
      const leftMs = endsAtMs - performance.now();
      if (leftMs <= 0) return;
      await Promise.race([this.#moved.promise, sleep(leftMs, undefined, { ref: false })]);
    }
  }

  #move(): void {
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }
}
