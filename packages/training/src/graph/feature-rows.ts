import type { Random } from "@medley/core";
import type { VectorTable } from "../evaluation/nearest-neighbours.ts";

/** With fewer numbers that are not 0 than this share, rows are gone through by their places. */
const sparseShareMax = 0.25;

/** Nodes' features, of which batches are filled; of bags of words only the words that are there are touched. */
export class FeatureRows {
  readonly width: number;
  readonly #values: Float32Array;
  /** Row `r` has numbers that are not 0 at `places[starts[r]]` up to `places[starts[r + 1]]`; null where most are not 0. */
  readonly #sparse: { readonly starts: Uint32Array; readonly places: Uint32Array } | null;

  constructor({ values, dimensions }: VectorTable) {
    this.width = dimensions;
    this.#values = values;
    const count = values.reduce((sum, value) => (value === 0 ? sum : sum + 1), 0);
    this.#sparse = count < sparseShareMax * values.length ? placesOf(values, dimensions, count) : null;
  }

  /**
   * Adds `weight` times a row to what is at `at` in `into`. In training a share of the numbers is dropped, each anew, and the others
   * are scaled up for it (Srivastava et al. 2014).
   */
  add(row: number, weight: number, into: Float32Array, at: number, dropped: number, random: Random): void {
    const from = row * this.width;
    const scale = weight / (1 - dropped);
    const add = (place: number) => {
      if (dropped > 0 && random.uniform() < dropped) return;
      into[at + place] = (into[at + place] as number) + scale * (this.#values[from + place] as number);
    };
    if (this.#sparse === null) {
      for (let place = 0; place < this.width; place += 1) add(place);
      return;
    }
    const { starts, places } = this.#sparse;
    for (let each = starts[row] as number; each < (starts[row + 1] as number); each += 1) {
      add(places[each] as number);
    }
  }
}

function placesOf(values: Float32Array, width: number, count: number) {
  const starts = new Uint32Array(values.length / width + 1);
  const places = new Uint32Array(count);
  let next = 0;
  for (let at = 0; at < values.length; at += 1) {
    if (values[at] !== 0) places[next++] = at % width;
    if ((at + 1) % width === 0) starts[(at + 1) / width] = next;
  }
  return { starts, places };
}
