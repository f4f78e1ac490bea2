import { strict as assert } from "node:assert";
import type { Clock } from "./ports/clock.ts";

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Only grows for one record id; the higher one wins whatever the order of arrival. */
export type Version = Brand<bigint, "Version">;

/** Postgres bigint. */
export const versionMax = 2n ** 63n - 1n;

export function version(value: bigint): Version {
  assert(value >= 0n && value <= versionMax, "version out of range");
  return value as Version;
}

// 2^20 versions per millisecond leave 43 bits for milliseconds: until the year 2248.
const logicalBits = 20n;

/** The largest version the clock could have given at `nowMs`; a user's version above it would block all later ones. */
export function versionAt(nowMs: number): Version {
  return version(((BigInt(Math.floor(nowMs)) + 1n) << logicalBits) - 1n);
}

/** Milliseconds since 1970 at which the clock gave the version. */
export function timeOf(given: Version): number {
  return Number(given >> logicalBits);
}

/**
 * Gives versions from a hybrid logical clock (Kulkarni et al. 2014, "Logical Physical Clocks"): wall-clock milliseconds
 * in the high bits, a counter in the low 20. State: the last version given. It never falls, also when the wall
 * clock steps back; the counter spills into the next millisecond when it is full.
 */
export class VersionClock {
  readonly #clock: Clock;
  #last = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The wall clock's time, for what is told beside a version. */
  nowMs(): number {
    return this.#clock.nowMs();
  }

  /** `count` consecutive versions; returns the first. */
  next(count = 1): Version {
    assert(Number.isSafeInteger(count) && count > 0);
    const wall = BigInt(Math.floor(this.#clock.nowMs())) << logicalBits;
    const first = wall > this.#last ? wall : this.#last + 1n;
    this.#last = first + BigInt(count) - 1n;
    return version(first);
  }
}
