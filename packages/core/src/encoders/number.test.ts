import fc from "fast-check";
import { expect, test } from "vitest";
import { dot, segmentOf, unitLength } from "./expectations.ts";
import { numberEncoder } from "./number.ts";

const linear = numberEncoder("year", { range: [1900, 2030] });
const log = numberEncoder("price", { range: [1, 10_000], scale: "log" });
const year = fc.double({ min: 1800, max: 2100, noNaN: true });

test("a segment is of unit length, and the nearer of two numbers scores higher", async () => {
  await fc.assert(
    fc.asyncProperty(year, year, year, async (asked, a, b) => {
      const query = await linear.encodeQuery(asked);
      const [near, far] =
        Math.abs(clamp(a) - clamp(asked)) <= Math.abs(clamp(b) - clamp(asked)) ? [a, b] : [b, a];
      const [nearSegment, farSegment] = [await segmentOf(linear, near), await segmentOf(linear, far)];
      expect(unitLength(nearSegment)).toBe(true);
      expect(dot(query, nearSegment)).toBeGreaterThanOrEqual(dot(query, farSegment) - 1e-6);
    }),
  );
});

test("the cosine of two numbers is the cosine of the angle between their places, both ways", async () => {
  await fc.assert(
    fc.asyncProperty(year, year, async (a, b) => {
      const angle = ((clamp(a) - clamp(b)) / 130) * (Math.PI / 2);
      const [first, second] = [await segmentOf(linear, a), await segmentOf(linear, b)];
      expect(dot(first, second)).toBeCloseTo(Math.cos(angle), 6);
      expect(dot(second, first)).toBe(dot(first, second));
    }),
  );
});

test("in half precision an equal number comes before one 2.5% of the range away", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 9750 }), async (place) => {
      const [lower, upper] = [place, place + 250].map((x) => 1900 + (x / 10_000) * 130) as [number, number];
      const [a, b] = [await segmentOf(linear, lower), await segmentOf(linear, upper)];
      const [stored, farther] = [a.map(Math.f16round), b.map(Math.f16round)];
      expect(dot(stored, stored)).toBeGreaterThan(dot(stored, farther));
    }),
  );
});

test("high and low rise and fall over the whole range", async () => {
  const [high, low] = [await linear.encodeQuery("high"), await linear.encodeQuery("low")];
  const segments = await Promise.all([1900, 1920, 1950, 1999, 2029, 2030].map((x) => segmentOf(linear, x)));
  const highs = segments.map((segment) => dot(high, segment));
  const lows = segments.map((segment) => dot(low, segment));
  expect(highs).toEqual(highs.toSorted((a, b) => a - b));
  expect(lows).toEqual(lows.toSorted((a, b) => b - a));
  expect([highs[0], highs.at(-1), lows[0]]).toEqual([0, 1, 1]);
});

test("outside the range counts as the nearest end", async () => {
  expect(await segmentOf(linear, -5)).toEqual(await segmentOf(linear, 1900));
  expect(await segmentOf(linear, 1e300)).toEqual(await segmentOf(linear, 2030));
  expect(await segmentOf(log, -5)).toEqual(await segmentOf(log, 1));
});

test("on a log scale equal ratios are equally far apart", async () => {
  const cosine = async (a: number, b: number) => dot(await segmentOf(log, a), await segmentOf(log, b));
  expect(await cosine(1, 10)).toBeCloseTo(await cosine(100, 1000), 6);
  expect(await cosine(1, 100)).toBeCloseTo(Math.cos(Math.PI / 4), 6);
});

test("what is no finite number is refused, and its neighbours are not", async () => {
  const results = await linear.encode([Number.NaN, 1999, Number.POSITIVE_INFINITY]);
  expect(results.map((result) => result.ok)).toEqual([false, true, false]);
  expect(results[0]).toMatchObject({
    failure: { code: "encoder_failed", message: 'space "year": NaN is no finite number' },
  });
  for (const query of [Number.NaN, "hihg", null, {}]) {
    await expect(linear.encodeQuery(query as never)).rejects.toMatchObject({ code: "query_invalid" });
  }
});

function clamp(value: number): number {
  return Math.min(Math.max(value, 1900), 2030);
}
