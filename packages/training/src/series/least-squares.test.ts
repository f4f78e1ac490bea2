import { Random } from "@medley/core";
import type { SeriesValue } from "@medley/models";
import { expect, test } from "vitest";
import { leastSquares } from "./least-squares.ts";
import { SeriesWindows } from "./windows.ts";

const [lookback, horizon] = [6, 3];
const options = {
  ...{ lookback, horizon, stride: 1, stepMs: null, calendar: false, missingShareMax: 0.5, seed: 1 },
  split: { shares: [0.6, 0.2, 0.2] },
} as const;

/** Each reading follows from the two before it, but for noise; some readings may be missing. */
function course(count: number, { noise, missing = 0 }: { noise: number; missing?: number }): SeriesValue {
  const random = new Random(3);
  const values = [[1], [0.5]];
  while (values.length < count) {
    const [before, last] = [values.at(-2)?.[0] as number, values.at(-1)?.[0] as number];
    values.push([1.6 * last - 0.9 * before + noise * random.normal()]);
  }
  const holes = new Random(4);
  return { times: null, values: values.map(([x]) => [holes.uniform() < missing ? null : x]) } as SeriesValue;
}

const solved = (series: SeriesValue, level: "none" | "last" | "mean", ridges = [1e-9]) =>
  leastSquares(new SeriesWindows([series], options), ridges, { level, onWindows: () => {} });

test("what follows from the last two readings is found to follow from them, and from nothing else", async () => {
  const [map] = await solved(course(600, { noise: 0.1 }), "none", [1e-9]);
  const weights = Array.from({ length: lookback }, (_, step) => map?.weight.values[step * horizon] as number);
  expect(weights.slice(0, 4).every((weight) => Math.abs(weight) < 0.1)).toBe(true);
  expect(Math.abs((weights[4] as number) + 0.9)).toBeLessThan(0.15);
  expect(Math.abs((weights[5] as number) - 1.6)).toBeLessThan(0.15);
});

test("a firmer ridge makes smaller weights", async () => {
  const maps = await solved(course(300, { noise: 0.5 }), "mean", [1e-6, 1e-2, 1]);
  const sizes = maps.map(({ weight }) => Math.hypot(...weight.values));
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  expect(new Set(sizes).size).toBe(3);
});

test("missing readings make a fit a little worse, not another one", async () => {
  const [whole] = await solved(course(900, { noise: 0.1 }), "none");
  const [holed] = await solved(course(900, { noise: 0.1, missing: 0.03 }), "none");
  const first = (map: typeof whole) => map?.weight.values[5 * horizon] as number;
  expect(Math.abs(first(holed) - first(whole))).toBeLessThan(0.35);
});

test("a signal that comes while windows are read ends the reading: what was read is enough", async () => {
  const windows = new SeriesWindows([course(2_000, { noise: 0.1 })], options);
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  let read = 0;
  const [map] = await leastSquares(windows, [1e-9], {
    level: "none",
    signal: controller.signal,
    onWindows: (done) => {
      read = done;
    },
  });
  expect(read).toBeLessThan(windows.counts.train);
  expect(Math.abs((map?.weight.values[5 * horizon] as number) - 1.6)).toBeLessThan(0.3);
});

test("a signal that comes in a later pass, which fills in what is missing, leaves what the pass before gave", async () => {
  const windows = new SeriesWindows([course(900, { noise: 0.1, missing: 0.03 })], options);
  const solvedUntil = async (stopsInPass: number) => {
    const controller = new AbortController();
    let passes = 0;
    const [map] = await leastSquares(windows, [1e-9], {
      level: "none",
      signal: controller.signal,
      onWindows: (done, total) => {
        if (done <= 64) passes += 1;
        // In the first one at its end.
        if (passes === stopsInPass && (passes > 1 || done === total)) controller.abort();
      },
    });
    return map;
  };
  expect(await solvedUntil(2)).toEqual(await solvedUntil(1));
});

test("a series that never changes is forecast as it is", async () => {
  const flat = { times: null, values: Array.from({ length: 100 }, () => [5]) };
  const [map] = await solved(flat, "last");
  expect([...(map?.bias ?? [])].every((value) => Math.abs(value) < 1e-9)).toBe(true);
});
