/** One figure of a benchmark and whether it is good enough. */
export interface Measurement {
  readonly name: string;
  /** `null`: it could not be measured; `detail` says why. */
  readonly value: number | null;
  /** In words, such as "at least 0.95". */
  readonly goal: string;
  /** `null` where there is no value. */
  readonly met: boolean | null;
  /** What was run, the figures behind the value, and the cases that were lost. */
  readonly detail: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
