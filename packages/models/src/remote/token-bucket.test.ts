import fc from "fast-check";
import { expect, test } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

test("no minute sees more than 1.1 times the rate, and waiting is never in vain", () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 10_000 }),
    fc.array(fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), pauseMs: fc.nat(30_000) }), {
      minLength: 1,
      maxLength: 60,
    }),
    (perMinuteMax, steps) => {
      const bucket = new TokenBucket({ perMinuteMax, nowMs: 0 });
      const holds = Math.max(1, perMinuteMax / 10);
      let nowMs = 0;
      const taken: { atMs: number; amount: number }[] = [];
      for (const { share, pauseMs } of steps) {
        nowMs += pauseMs;
        const amount = share * holds;
        const waitMs = bucket.waitMs(amount, nowMs);
        expect(waitMs).toBeLessThanOrEqual(60_000);
        nowMs += waitMs;
        expect(bucket.waitMs(amount, nowMs)).toBe(0);
        bucket.take(amount, nowMs);
        taken.push({ atMs: nowMs, amount });
        const minute = taken.filter(({ atMs }) => atMs > nowMs - 60_000);
        const sum = minute.reduce((total, each) => total + each.amount, 0);
        expect(sum).toBeLessThanOrEqual(perMinuteMax + holds + 1e-3);
      }
    },
  );
  fc.assert(property);
});

test("what is larger than the bucket waits for a full one, and leaves a debt", () => {
  const bucket = new TokenBucket({ perMinuteMax: 600, nowMs: 0 });
  expect(bucket.waitMs(300, 0)).toBe(0);
  bucket.take(300, 0);
  expect(bucket.waitMs(1, 0)).toBe(24_100); // 240 of debt and 1, at 10 a second.
  bucket.take(-1_000, 0);
  expect(bucket.waitMs(60, 0)).toBe(0);
  expect(bucket.waitMs(300, 0)).toBe(0);
});

test("time that steps back gives nothing", () => {
  const bucket = new TokenBucket({ perMinuteMax: 10, nowMs: 1_000 });
  bucket.take(1, 1_000);
  expect(bucket.waitMs(1, 0)).toBe(6_000);
  expect(bucket.waitMs(1, 1_000)).toBe(6_000);
});

test("a lower rate holds from now on, a higher one does not", () => {
  const bucket = new TokenBucket({ perMinuteMax: 600, nowMs: 0 });
  bucket.lower(60);
  bucket.lower(6_000);
  bucket.take(6, 0);
  expect(bucket.waitMs(1, 0)).toBe(1_000);
});
