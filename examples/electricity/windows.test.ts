import { expect, test } from "vitest";
import { channels, horizon, lookback, readReadings, scalesOf, windowsOf } from "./windows.ts";

const readings = readReadings();
const windows = windowsOf(readings);

test("of 20 months, 16 are known; each window ends where its day begins, and no known one looks at the last four", () => {
  expect(readings.times).toHaveLength(20 * 30 * 24);
  expect(new Set(windows.map(({ id }) => id)).size).toBe(windows.length);
  const border = readings.times[16 * 30 * 24] as number;
  const dayMs = 86_400_000;
  for (const { id, part, readings: own, scaled, next } of windows) {
    const end = Date.parse(`${id}:00Z`);
    expect(end - (own.times.at(-1) as number)).toBe(3_600_000);
    expect(part).toBe(end + dayMs <= border ? "known" : "held out");
    expect([own.values.length, scaled.length, next.length]).toEqual([
      lookback,
      lookback * channels,
      horizon * channels,
    ]);
  }
  expect(windows.filter(({ part }) => part === "held out")).toHaveLength(120);
});

test("the scale is that of the known months: one that is changed later changes nothing", () => {
  const later = readings.values.map((reading, hour) =>
    hour < 16 * 30 * 24 ? reading : reading.map((value) => value + 1_000),
  );
  expect(scalesOf({ ...readings, values: later })).toEqual(scalesOf(readings));
  const [first] = windows;
  const { mean, deviation } = scalesOf(readings)[0] as { mean: number; deviation: number };
  const reading = first?.readings.values[0]?.[0] as number;
  expect(first?.scaled[0]).toBeCloseTo((reading - mean) / deviation, 10);
});

test("a window's last day is what came after the one before", () => {
  const at = windows.findIndex(({ part }) => part === "held out") + 1;
  const [before, window] = [windows[at - 1], windows[at]];
  expect(window?.scaled.slice(-horizon * channels)).toEqual(before?.next);
  expect(window?.readings.times.slice(-horizon)).toEqual(before?.following.times);
  expect(window?.readings.values.slice(-horizon)).toEqual(before?.following.values);
});
