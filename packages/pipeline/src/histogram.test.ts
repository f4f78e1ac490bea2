import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("a value equal to a bound is below it, one above all bounds is counted last", () => {
  const histogram = new Histogram([1, 10]);
  for (const value of [0, 1, 1.5, 10, 11, 1_000]) histogram.observe(value);
  expect([histogram.counts, histogram.count, histogram.sum]).toEqual([[2, 2, 2], 6, 1_023.5]);
});

test("quantiles lie within their bucket, and are null where nothing was seen", () => {
  const histogram = new Histogram([1, 10]);
  expect(histogram.quantile(0.5)).toBeNull();
  for (let n = 0; n < 10; n += 1) histogram.observe(4);
  expect(histogram.quantile(0.5)).toBe(5.5);
  for (let n = 0; n < 90; n += 1) histogram.observe(99);
  expect(histogram.quantile(0.95)).toBe(10);
});

test("what is no duration or count is a programmer's error", () => {
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => new Histogram([1]).observe(value)).toThrow("not negative");
  }
  expect(() => new Histogram([2, 1])).toThrow();
});
