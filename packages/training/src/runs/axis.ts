/** Round numbers that span values, for the lines of a plot. */
export interface Axis {
  readonly min: number;
  readonly max: number;
  /** Rising, from `min` to `max`. */
  readonly ticks: readonly number[];
}

/** Steps of 1, 2 or 5 times a power of ten, about `ticksAbout` of them; values that are all the same get room around them. */
export function axisOf(values: readonly number[], ticksAbout: number): Axis {
  let low = values.reduce((min, value) => Math.min(min, value));
  let high = values.reduce((max, value) => Math.max(max, value));
  const largest = Math.max(Math.abs(low), Math.abs(high));
  // A line's thickness shows no smaller difference, and numbers as small as that are nothing.
  if (high - low < Math.max(1e-9 * largest, 1e-30)) {
    const room = (largest < 1e-30 ? 1 : largest) / 2;
    [low, high] = [low - room, high + room];
  }
  const rough = (high - low) / ticksAbout;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  const ticks = Array.from({ length: last - first + 1 }, (_, at) =>
    Number(((first + at) * step).toPrecision(12)),
  );
  return { min: ticks[0] as number, max: ticks.at(-1) as number, ticks };
}

/** Where a value lies between an axis's ends: 0 to 1. */
export function placeOn({ min, max }: Axis, value: number): number {
  return (value - min) / (max - min);
}

/** `0.25`, `1,200`, `3e-7`. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return value.toExponential().replace("e+", "e");
  return value.toLocaleString("en-US", { maximumSignificantDigits: 6 });
}
