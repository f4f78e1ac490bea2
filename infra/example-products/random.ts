import { Random } from "@medley/core";

/** Numbers that follow from a text: products don't change when one is added. */
export class NamedRandom extends Random {
  constructor(name: string) {
    // FNV-1a.
    super([...name].reduce((hash, char) => Math.imul(hash ^ char.charCodeAt(0), 0x01000193), 0x811c9dc5));
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.uniform();
  }

  one<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }

  shuffled<Value>(values: readonly Value[]): Value[] {
    return this.shuffle([...values]);
  }
}
