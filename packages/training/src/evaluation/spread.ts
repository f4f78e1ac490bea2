import { strict as assert } from "node:assert";

/** What one figure was over several seeds. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  /** Of the sample (n - 1); 0 of a single value. */
  readonly deviation: number;
  /** Of the mean: deviation / √n. */
  readonly standardError: number;
  readonly min: number;
  readonly max: number;
}

/** At least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const count = values.length;
  assert(count > 0, "a value");
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = count === 1 ? 0 : Math.sqrt(squares / (count - 1));
  return {
    ...{ count, mean, deviation, standardError: deviation / Math.sqrt(count) },
    ...{ min: Math.min(...values), max: Math.max(...values) },
  };
}
