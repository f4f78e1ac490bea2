import { strict as assert } from "node:assert";

/**
 * Random numbers that follow from a seed alone: mulberry32 (Tommy Ettinger, public domain), 2^32 numbers long, good enough to
 * shuffle and to sample. Draws are in the order of the calls, so code that draws must not depend on timing.
 */
export class Random {
  #state: number;
  /** The second of the two normal numbers that are made at once. */
  #spare: number | null = null;

  /** Equal seeds give equal numbers; a seed may be any integer. */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed), "a seed is an integer");
    this.#state = seed | 0;
  }

  /** 0 ≤ x < 1. */
  uniform(): number {
    return this.uint32() / 2 ** 32;
  }

  /** A whole number, 0 ≤ x < limit. */
  below(limit: number): number {
    assert(limit > 0 && limit <= 2 ** 32, "a limit above 0");
    return Math.floor(this.uniform() * limit);
  }

  /** Mean 0, deviation 1, by Marsaglia's polar method (1964). */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    for (;;) {
      const [x, y] = [2 * this.uniform() - 1, 2 * this.uniform() - 1];
      const square = x * x + y * y;
      if (square === 0 || square >= 1) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = y * factor;
      return x * factor;
    }
  }

  /** In place (Fisher and Yates); returns what it was given. */
  shuffle<Items extends { length: number; [index: number]: unknown }>(items: Items): Items {
    for (let last = items.length - 1; last > 0; last -= 1) {
      const other = this.below(last + 1);
      [items[last], items[other]] = [items[other], items[last]];
    }
    return items;
  }

  /** A generator of its own, for work that may draw more or fewer numbers without disturbing what comes after. */
  fork(): Random {
    return new Random(this.uint32());
  }

  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
}
