import { strict as assert } from "node:assert";

/** Counts of values by upper bound: what a Prometheus histogram is made of. Holds as many numbers as it has bounds, for ever. */
export class Histogram {
  /** Rising; a value equal to a bound is below it. */
  readonly bounds: readonly number[];
  /** One per bound, and a last one for what is above all of them; not cumulative. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    assert(bounds.length > 0 && bounds.every((bound, at) => at === 0 || bound > (bounds[at - 1] as number)));
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    assert(Number.isFinite(value) && value >= 0, "durations and counts are not negative");
    const at = this.bounds.findIndex((bound) => value <= bound);
    const bucket = at < 0 ? this.bounds.length : at;
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.sum += value;
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** See `quantileOf`. */
  quantile(share: number): number | null {
    return quantileOf(this.bounds, this.counts, share);
  }
}

/**
 * Interpolated within its bucket as PromQL's `histogram_quantile` does; above the last bound: that bound. Null where nothing was
 * seen. `counts`: one per bound and a last one for what is above all of them, not cumulative.
 */
export function quantileOf(
  bounds: readonly number[],
  counts: readonly number[],
  share: number,
): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  let rank = share * total;
  let lower = 0;
  for (const [at, bound] of bounds.entries()) {
    const inBucket = counts[at] as number;
    if (rank <= inBucket && inBucket > 0) return lower + (bound - lower) * (rank / inBucket);
    rank -= inBucket;
    lower = bound;
  }
  return lower;
}
