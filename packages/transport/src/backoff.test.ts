import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

test.for([
  [1, 100, 200],
  [2, 200, 400],
  [8, 12_800, 25_600],
  [9, 15_000, 30_000],
  [5_000, 15_000, 30_000],
] as const)("after attempt %i: between %i and %i ms", ([attempt, shortestMs, longestMs]) => {
  expect(backoffMs(attempt, () => 0)).toBe(shortestMs);
  expect(backoffMs(attempt, () => 1)).toBe(longestMs);
});
