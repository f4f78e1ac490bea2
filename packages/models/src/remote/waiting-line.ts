/** Who waits, in order; those `ahead` (searches) before all others (records). */
export class WaitingLine<Entry extends { readonly ahead: boolean }> {
  readonly #ahead: Entry[] = [];
  readonly #others: Entry[] = [];

  get head(): Entry | undefined {
    return this.#ahead[0] ?? this.#others[0];
  }
  push(entry: Entry): void {
    this.#lineOf(entry).push(entry);
  }
  shift(): Entry | undefined {
    return this.#ahead.shift() ?? this.#others.shift();
  }
  /** Whether it still waited. */
  remove(entry: Entry): boolean {
    const line = this.#lineOf(entry);
    const place = line.indexOf(entry);
    if (place >= 0) line.splice(place, 1);
    return place >= 0;
  }
  #lineOf(entry: Entry): Entry[] {
    return entry.ahead ? this.#ahead : this.#others;
  }
}
