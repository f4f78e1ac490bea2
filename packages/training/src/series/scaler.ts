import type { RegularSeries } from "@medley/models";

/** Mean and deviation (of the population) per channel; a channel that never changes has deviation 1. */
export interface Scaler {
  readonly means: number[];
  readonly deviations: number[];
}

/**
 * By the steps that `trains` says are trained on, and no others: what a scaler knows of later steps would be a leak.
 * A channel without any reading there has mean 0.
 */
export function fitScaler(
  series: readonly RegularSeries[],
  channels: number,
  trains: (series: number, step: number) => boolean,
): Scaler {
  const each = Array.from({ length: channels }, () => ({ count: 0, mean: 0, squares: 0 }));
  for (const [at, { values, steps }] of series.entries()) {
    for (let step = 0; step < steps; step += 1) {
      if (!trains(at, step)) continue;
      for (const [channel, moments] of each.entries()) {
        const value = values[step * channels + channel] as number;
        if (Number.isNaN(value)) continue;
        // Welford 1962: no cancellation for values far from 0.
        moments.count += 1;
        const before = value - moments.mean;
        moments.mean += before / moments.count;
        moments.squares += before * (value - moments.mean);
      }
    }
  }
  return {
    means: each.map(({ mean }) => mean),
    deviations: each.map(({ count, squares }) => Math.sqrt(squares / Math.max(1, count)) || 1),
  };
}
