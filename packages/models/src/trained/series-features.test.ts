import { describe, expect, test } from "vitest";
import { calendarMarks, marksOf } from "./calendar-marks.ts";
import type { FeaturesManifest } from "./features.ts";
import { fillMissing, regularSeries } from "./regular-series.ts";
import { type SeriesManifest, seriesFeatures, windowOf } from "./series-features.ts";

const manifest: SeriesManifest & FeaturesManifest = {
  kind: "autoformer",
  dimensions: 8,
  channels: 1,
  lookback: 4,
  horizon: 2,
  stepMs: 1_000,
  calendar: false,
  means: [10],
  deviations: [2],
  missingShareMax: 0.5,
};

function regular(times: number[], values: (number | null)[], steps?: number): number[] {
  const result = regularSeries(
    { times, values: values.map((value) => [value]) },
    { channels: 1, stepMs: 1_000, ...(steps === undefined ? {} : { steps }) },
  );
  if (!result.ok) throw new Error(result.failure.message);
  return [...result.value.values];
}

describe("steps", () => {
  test("of regular readings are the readings", () => {
    expect(regular([0, 1_000, 2_000], [0.1, 0.2, 0.3])).toEqual([0.1, 0.2, 0.3]);
  });

  test("between readings lie on the line between them, weighted by time, and end with the last reading", () => {
    expect(regular([0, 1_500, 2_500], [0, 15, 25])).toEqual([5, 15, 25]);
  });

  test("a whole step away from any reading are missing, a gap's edges are not", () => {
    expect(regular([0, 1_000, 4_000], [1, 2, 5])).toEqual([1, 2, Number.NaN, Number.NaN, 5]);
    expect(regular([0, 1_000, 2_000], [1, null, 3])).toEqual([1, Number.NaN, 3]);
    expect(regular([0, 1_400, 2_400, 3_000], [0, 14, null, 30])).toEqual(
      [0, 10, 14 + (6 / 16) * 16, 30].map((x) => expect.closeTo(x, 9)),
    );
  });

  test("before the first reading are missing, older ones than asked for are left out", () => {
    expect(regular([0, 1_000], [1, 2], 4)).toEqual([Number.NaN, Number.NaN, 1, 2]);
    expect(regular([0, 1_000, 2_000], [1, 2, 3], 2)).toEqual([2, 3]);
  });

  test.for([
    [{ times: [0, 0], values: [[1], [2]] }, "has times that do not rise, at reading 1"],
    [{ times: null, values: [[1]] }, "has no time per reading"],
    [{ times: [0], values: [[1, 2]] }, "has readings that are not of 1 channels"],
    [{ times: [], values: [] }, "is an empty series"],
    [{ times: [0, 2 ** 52], values: [[1], [2]] }, /more than 16777216/],
  ] as const)("of %o are refused", ([value, message]) => {
    const result = regularSeries(value as never, { channels: 1, stepMs: 1_000 });
    expect(result).toMatchObject({
      ok: false,
      failure: { message: typeof message === "string" ? message : expect.stringMatching(message) },
    });
  });
});

test("gaps are filled on a line, ends with the nearest reading, an empty channel with what it is given", () => {
  const none = Number.NaN;
  const window = Float64Array.of(none, none, 2, none, none, none, 8, none, none, none);
  expect(fillMissing(window, 2, [0, 7])).toBeCloseTo(0.8, 9);
  expect([...window]).toEqual([2, 7, 2, 7, 5, 7, 8, 7, 8, 7]);
});

test("marks are the published code's: hour, weekday, day of the month and of the year, each from -.5 to .5", () => {
  expect(calendarMarks(3_600_000)).toEqual(["hour", "weekday", "monthDay", "yearDay"]);
  expect(calendarMarks(60_000)[0]).toBe("minute");
  expect(calendarMarks(86_400_000)).not.toContain("hour");
  // A Friday; 2016 is a leap year.
  const [hour, weekday, monthDay, yearDay, nextHour] = marksOf(Date.UTC(2016, 6, 1), 3_600_000, 2);
  expect(hour).toBeCloseTo(-0.5, 6);
  expect(weekday).toBeCloseTo(4 / 6 - 0.5, 6);
  expect(monthDay).toBeCloseTo(-0.5, 6);
  expect(yearDay).toBeCloseTo(182 / 365 - 0.5, 6);
  expect(nextHour).toBeCloseTo(1 / 23 - 0.5, 6);
  const lastOfYear = marksOf(Date.UTC(2016, 11, 31, 23), 3_600_000, 1);
  expect([...lastOfYear].map((mark) => Math.round(mark * 1e6) / 1e6)).toEqual([0.5, 0.333333, 0.5, 0.5]);
});

describe("a window", () => {
  const values = [[8], [10], [12], [14]];
  test("is scaled, and followed by the marks of look-back and horizon where the model takes them", () => {
    const times = [0, 1_000, 2_000, 3_000];
    expect(windowOf({ times, values }, manifest)).toEqual({ ok: true, value: Float32Array.of(-1, 0, 1, 2) });
    const marked = windowOf({ times, values }, { ...manifest, calendar: true });
    expect(marked.ok && marked.value).toHaveLength(4 + 6 * 5);
  });

  test("of a short series begins with its first reading, one that lacks more than allowed is refused", () => {
    expect(windowOf({ times: [0, 1_000], values: [[8], [12]] }, manifest)).toEqual({
      ok: true,
      value: Float32Array.of(-1, -1, -1, 1),
    });
    expect(windowOf({ times: [0], values: [[8]] }, manifest)).toMatchObject({
      ok: false,
      failure: { message: "lacks 75 % of the 4 steps that the model looks at, more than 50 %" },
    });
  });

  test("of a query may be plain numbers where readings are steps; anything else is told what to give", () => {
    const features = seriesFeatures({ ...manifest, stepMs: null }, new Map());
    expect(features.queryRow([8, 10, 12, 14])).toEqual(features.row({ times: null, values }));
    for (const query of ["8", [], [["a"]], { values: [1], times: "now" }, null, [Number.NaN]])
      expect(features.queryRow(query)).toMatchObject({
        ok: false,
        failure: { message: "the query is no series" },
      });
    const timed = seriesFeatures(manifest, new Map());
    expect(timed.queryRow([8, 10, 12, 14])).toMatchObject({
      ok: false,
      failure: { message: "has no time per reading" },
    });
  });
});

test.for([
  ["channels", 0],
  ["lookback", 1.5],
  ["stepMs", -1],
  ["calendar", "yes"],
  ["means", [1, 2]],
  ["deviations", [0]],
  ["missingShareMax", undefined],
])("a manifest with %s of %o is damaged", ([key, value]) => {
  expect(() => seriesFeatures({ ...manifest, [key as string]: value }, new Map())).toThrow(
    expect.objectContaining({ code: "model_damaged", message: expect.stringContaining(key as string) }),
  );
});
