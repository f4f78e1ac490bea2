import { strict as assert } from "node:assert";

/** Names that are counted at one time, per name that is asked for in the end. */
const candidatesPerName = 20;
const candidatesMin = 200_000;

/**
 * Finds the names that are counted most, in bounded memory: at most 20 times as many as are asked for, or 200,000, are held at one
 * time.
 * When there are more, those of the lowest counts are forgotten, as in lossy counting (Manku and Motwani, "Approximate
 * frequency counts over data streams", 2002), so a name's count may be too low by what it had when it was forgotten.
 */
export class FrequentNames {
  readonly #counts = new Map<string, number>();
  readonly #namesMax: number;

  constructor(options: { namesMax: number }) {
    assert(Number.isInteger(options.namesMax) && options.namesMax > 0, "namesMax is a number above 0");
    this.#namesMax = options.namesMax;
  }

  /** Counts each of the names once. */
  add(names: Iterable<string>): void {
    for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    const candidatesMax = Math.max(candidatesPerName * this.#namesMax, candidatesMin);
    if (this.#counts.size <= candidatesMax) return;
    for (let floor = 1; this.#counts.size > candidatesMax / 2; floor += 1) {
      for (const [name, count] of this.#counts) if (count <= floor) this.#counts.delete(name);
    }
  }

  /** The highest counts first, at most `namesMax`, none below `countMin`; of equals, the first in code unit order. */
  top(countMin: number): { readonly names: readonly string[]; readonly counts: Uint32Array } {
    const kept = [...this.#counts]
      .filter(([, count]) => count >= countMin)
      .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
      .slice(0, this.#namesMax);
    return { names: kept.map(([name]) => name), counts: Uint32Array.from(kept, ([, count]) => count) };
  }
}
