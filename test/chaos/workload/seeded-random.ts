import { Random } from "@medley/core";

/** Reproducible numbers: the same seed gives the same workload and faults. */
export class SeededRandom extends Random {
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  override fork(): SeededRandom {
    return new SeededRandom(this.uint32());
  }
}
