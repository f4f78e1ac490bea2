import { strict as assert } from "node:assert";

/** Share of a minute's allowance that may go out at once. */
const burstShare = 0.1;
/** Rounding of sums of fractions must not ask for one more wait of nothing. */
const slack = 1e-6;

/**
 * An allowance per minute that refills evenly (a token bucket, as in RFC 2697's committed rate). It holds at most a
 * tenth of a minute's worth, at least 1, so that no minute sees more than 1.1 times the rate. What is larger than it
 * holds goes out of a full bucket and leaves a debt, which the next ones wait for.
 */
export class TokenBucket {
  #perMinuteMax: number;
  #level: number;
  #atMs: number;

  constructor(options: { perMinuteMax: number; nowMs: number }) {
    assert(options.perMinuteMax > 0);
    this.#perMinuteMax = options.perMinuteMax;
    this.#atMs = options.nowMs;
    this.#level = this.#holds;
  }

  /** How long until `amount` may be taken; 0: now. */
  waitMs(amount: number, nowMs: number): number {
    this.#refill(nowMs);
    const missing = Math.min(amount, this.#holds) - this.#level;
    return missing <= slack ? 0 : Math.ceil((missing / this.#perMinuteMax) * 60_000);
  }

  /** A negative amount is given back. */
  take(amount: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#level = Math.min(this.#level - amount, this.#holds);
  }

  lower(perMinuteMax: number): void {
    this.#perMinuteMax = Math.min(this.#perMinuteMax, perMinuteMax);
    this.#level = Math.min(this.#level, this.#holds);
  }

  get #holds(): number {
    return Math.max(1, this.#perMinuteMax * burstShare);
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = Math.max(nowMs, this.#atMs);
    this.#level = Math.min(this.#holds, this.#level + (elapsedMs / 60_000) * this.#perMinuteMax);
  }
}
