import { Random } from "@medley/core";
import type { SeriesValue } from "@medley/models";
import { windowOf } from "@medley/models";
import { describe, expect, test } from "vitest";
import { batchesInOrder, SeriesWindows, shuffledBatches, type WindowsOptions } from "./windows.ts";

const hourMs = 3_600_000;
const startMs = Date.UTC(2016, 6, 1);

/** Channel c of step t is t + 1000 c. */
function ramp(steps: number, { channels = 2, from = 0 } = {}): SeriesValue {
  return {
    times: Array.from({ length: steps }, (_, step) => startMs + (from + step) * hourMs),
    values: Array.from({ length: steps }, (_, step) =>
      Array.from({ length: channels }, (_, channel) => from + step + 1_000 * channel),
    ),
  };
}

const options: WindowsOptions = {
  lookback: 8,
  horizon: 4,
  stride: 1,
  stepMs: hourMs,
  calendar: false,
  missingShareMax: 0.5,
  split: { shares: [0.6, 0.2, 0.2] },
  seed: 1,
};

/** What a window forecasts, unscaled and of the first channel. */
function aheadOf(windows: SeriesWindows, part: "train" | "validation" | "test", number: number): number[] {
  const { targets } = windows.batch(part, [number]);
  const { means, deviations, channels } = windows.manifest;
  return [...targets]
    .filter((_, at) => at % channels === 0)
    .map((value) => Math.round(value * (deviations[0] as number) + (means[0] as number)));
}

describe("a split by time", () => {
  test("gives each window to the part in which all of its future lies, and scales by the training part alone", () => {
    const windows = new SeriesWindows([ramp(100)], options);
    // Steps 0-59, 60-79 and 80-99: targets begin at 8-56, 60-76 and 80-96.
    expect(windows.counts).toEqual({ train: 49, validation: 17, test: 17 });
    expect(aheadOf(windows, "train", 0)).toEqual([8, 9, 10, 11]);
    expect(aheadOf(windows, "train", 48)).toEqual([56, 57, 58, 59]);
    expect(aheadOf(windows, "validation", 0)).toEqual([60, 61, 62, 63]);
    expect(aheadOf(windows, "test", 16)).toEqual([96, 97, 98, 99]);
    expect(windows.manifest.means[0]).toBeCloseTo(29.5, 9);
    expect(windows.manifest.means[1]).toBeCloseTo(1_029.5, 9);
    expect(windows.manifest.deviations[0]).toBeCloseTo(Math.sqrt((60 ** 2 - 1) / 12), 9);
  });

  test("by months of 30 days is the ETT benchmark's: 2,785 windows of 96 hours to test, what is later is not used", () => {
    const windows = new SeriesWindows([ramp(17_420, { channels: 1 })], {
      ...options,
      lookback: 96,
      horizon: 96,
      split: { months: [12, 4, 4] },
    });
    expect(windows.counts).toEqual({ train: 8_449, validation: 2_785, test: 2_785 });
    expect(aheadOf(windows, "test", 2_784).at(-1)).toBe(20 * 720 - 1);
  });

  test("cuts all series at the same moments", () => {
    const windows = new SeriesWindows([ramp(50), ramp(50, { from: 50 })], options);
    // The border is at step 60 of both together: all of the first series is trained on.
    expect(windows.counts).toEqual({ train: 39, validation: 17, test: 17 });
  });

  test("of series without times gives whole ones to the parts", () => {
    const series = Array.from({ length: 10 }, () => ({ times: null, values: ramp(20).values }));
    const windows = new SeriesWindows(series, { ...options, stepMs: null });
    expect(windows.counts).toEqual({ train: 54, validation: 18, test: 18 });
  });

  test("without times can't be by months", () => {
    const series = [{ times: null, values: ramp(200).values }];
    const by = { ...options, stepMs: null, split: { months: [1, 1, 1] } } as const;
    expect(() => new SeriesWindows(series, by)).toThrow(/can't be cut by months/);
  });
});

test("a batch's window is what serving makes of the same readings", () => {
  const noise = new Random(3);
  const full = ramp(200);
  const series = {
    times: full.times,
    values: full.values.map((reading) =>
      reading.map((value) => (noise.uniform() < 0.2 ? null : (value as number) + noise.normal())),
    ),
  };
  const windows = new SeriesWindows([series], { ...options, calendar: true });
  const first = 8; // The end of the first window.
  for (const number of [0, 5, 60]) {
    const { inputs } = windows.batch("train", [number]);
    const seen = {
      times: (series.times as number[]).slice(0, first + number),
      values: series.values.slice(0, first + number),
    };
    const served = windowOf(seen, windows.manifest);
    const both = [...(inputs.series as Float32Array), ...(inputs.marks as Float32Array)];
    if (!served.ok) throw new Error(served.failure.message);
    for (const [at, value] of both.entries()) expect(served.value[at]).toBeCloseTo(value, 5);
  }
});

test("missing targets have no weight, windows with too many missing steps are left out", () => {
  const full = ramp(100, { channels: 1 });
  const values = full.values.map((reading, step) => (step >= 20 && step < 30 ? [null] : reading));
  const windows = new SeriesWindows([{ times: full.times, values }], options);
  // Of the 49: targets 20-23 to 26-29 have none (7 windows), look-backs with 5 or more of 8 missing end at 25 to 33 of which 27 and
  // later are not among those.
  const ends = Array.from({ length: windows.counts.train }, (_, at) => windows.batch("train", [at]));
  expect(windows.counts.train).toBeLessThan(49 - 7);
  const weights = ends.map((batch) => batch.weights.reduce((sum, weight) => sum + weight, 0));
  expect(Math.min(...weights)).toBe(1);
  for (const { weights: each, targets } of ends) {
    for (const [at, weight] of each.entries()) if (weight === 0) expect(targets[at]).toBe(0);
  }
});

test("a series too short for a window begins with missing steps, one much too short is left out", () => {
  const windows = new SeriesWindows([ramp(100), ramp(9), ramp(6)], options);
  const without = new SeriesWindows([ramp(100)], options);
  expect(windows.counts.train - without.counts.train).toBeLessThanOrEqual(1);
  const short = new SeriesWindows([ramp(9, { channels: 1 }), ramp(100, { channels: 1 })], options);
  const { inputs } = short.batch("train", [0]);
  const { means, deviations } = short.manifest;
  const seen = [...(inputs.series as Float32Array)].map((value) =>
    Math.round(value * (deviations[0] as number) + (means[0] as number)),
  );
  expect(seen).toEqual([0, 0, 0, 0, 1, 2, 3, 4]);
});

test("too few steps, an empty series and readings of different widths are told", () => {
  expect(() => new SeriesWindows([ramp(13)], options)).toThrow(/no window of 8 \+ 4 steps is left for/);
  expect(() => new SeriesWindows([], options)).toThrow(/there is no series with a reading/);
  const mixed = [ramp(100), ramp(100, { channels: 3 })];
  expect(() => new SeriesWindows(mixed, options)).toThrow(/series 2 of 2 has readings that are not of 2/);
});

test("a single window to train on is told: one alone has no directions in which windows differ", () => {
  expect(() => new SeriesWindows([ramp(20)], options)).toThrow(
    expect.objectContaining({
      code: "training_data_invalid",
      message: "only one window of 8 + 4 steps is left for train, where there must be 2",
      mend: expect.stringContaining("longer or more series"),
    }),
  );
  expect(new SeriesWindows([ramp(21)], options).counts).toMatchObject({ train: 2, validation: 1 });
});

test("a channel that never changes is not scaled up", () => {
  const flat = { times: ramp(100).times, values: ramp(100).values.map(([value]) => [value as number, 5]) };
  const windows = new SeriesWindows([flat], options);
  expect(windows.manifest.deviations[1]).toBe(1);
  expect(windows.manifest.means[1]).toBe(5);
});

test("batches have every window once; the last one in training is filled up, in evaluation it is the rest", () => {
  const seen = [...shuffledBatches(10, 4, new Random(1))];
  expect(seen.map(({ length }) => length)).toEqual([4, 4, 4]);
  const once = seen.flatMap((batch) => [...batch]).slice(0, 10);
  expect(once.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect([...shuffledBatches(10, 4, new Random(1))]).toEqual(seen);
  expect([...batchesInOrder(10, 4)].map((batch) => [...batch])).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
});
