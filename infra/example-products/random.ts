/** Numbers that are the same each time for the same seed: products don't change when one is added. */
export class Random {
  #state: number;

  constructor(seed: string) {
    // FNV-1a.
    this.#state = [...seed].reduce(
      (hash, char) => Math.imul(hash ^ char.charCodeAt(0), 0x01000193),
      0x811c9dc5,
    );
  }

  /** From 0 to below 1 (mulberry32, public domain, by Tommy Ettinger). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.next();
  }

  one<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.next() * values.length)] as Value;
  }

  /** Fisher-Yates, of a copy. */
  shuffled<Value>(values: readonly Value[]): Value[] {
    const shuffled = [...values];
    for (let at = shuffled.length - 1; at > 0; at -= 1) {
      const other = Math.floor(this.next() * (at + 1));
      [shuffled[at], shuffled[other]] = [shuffled[other] as Value, shuffled[at] as Value];
    }
    return shuffled;
  }
}
