import fc from "fast-check";
import { expect, test } from "vitest";
import { dot, segmentOf, unitLength } from "./expectations.ts";
import { recencyEncoder } from "./recency.ts";

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 0, 31, 12);
const horizonDays = 1461;
const halfLivesDays = [30, 45, 60, 90, 180, 365, 730, 1461];
const clock = { nowMs: () => nowMs };
const encoder = recencyEncoder("released", { horizonDays }, clock);
const agesDays = Array.from({ length: horizonDays + 1 }, (_, age) => age);

async function scoresAt(halfLifeDays: number, at = nowMs, round = Math.fround): Promise<number[]> {
  const query = (await encoder.encodeQuery({ now: at, halfLifeDays })).map(round);
  const results = await encoder.encode(agesDays.map((age) => at - age * dayMs));
  return results.map((result) => (result.ok ? dot(result.value.map(round), query) : Number.NaN));
}

/** Positions whose score is not below the one `step` before, by more than `rounding`. */
function inversions(scores: readonly number[], step: number, rounding = 0): number[] {
  return scores.flatMap((score, i) =>
    i >= step && !(score < (scores[i - step] as number) + rounding) ? [i] : [],
  );
}

test.each(halfLivesDays)("a newer record scores higher, half-life %d days", async (halfLifeDays) => {
  const scores = await scoresAt(halfLifeDays);
  expect(inversions(scores, 1)).toEqual([]);
  expect(inversions(scores, 7)).toEqual([]);
});

test.each([1e-9, 1, 7, 1e9])("no half-life turns the order around, %d days", async (halfLifeDays) => {
  expect(inversions(await scoresAt(halfLifeDays), 1, 1e-6)).toEqual([]);
});

test.each([90, 180, 365, 730, 1461])("scores follow the decay, half-life %d days", async (halfLifeDays) => {
  const decay = agesDays.map((age) => 0.5 ** (age / halfLifeDays));
  expect(correlation(await scoresAt(halfLifeDays), decay)).toBeGreaterThanOrEqual(0.99);
});

test.each(halfLivesDays)(
  "in half precision order is kept while the decay is above .01, half-life %d days",
  async (halfLifeDays) => {
    const oldest = halfLifeDays * Math.log2(100);
    for (const turn of [0, 1, 2, 3, 4]) {
      const scores = await scoresAt(halfLifeDays, nowMs + turn * 701 * dayMs, Math.f16round);
      expect(inversions(scores, 8).filter((age) => age <= oldest)).toEqual([]);
    }
  },
);

test("stored segments never go stale: two years later the same segments are in order by the same decay", async () => {
  const stored = await encoder.encode(agesDays.slice(0, 365).map((age) => nowMs - age * dayMs));
  const laterMs = nowMs + 730 * dayMs;
  const query = await encoder.encodeQuery({ now: laterMs, halfLifeDays: 365 });
  const scores = stored.map((result) => (result.ok ? dot(result.value, query) : Number.NaN));
  expect(inversions(scores, 1)).toEqual([]);
  expect(
    correlation(
      scores,
      scores.map((_, age) => 0.5 ** ((age + 730) / 365)),
    ),
  ).toBeGreaterThanOrEqual(0.99);
});

test("a record up to 1.4 horizons old never scores above one at the horizon", async () => {
  const query = await encoder.encodeQuery({ halfLifeDays: 365 });
  const score = async (age: number) => dot(await segmentOf(encoder, nowMs - age * dayMs), query);
  const atHorizon = await score(horizonDays);
  for (let age = horizonDays + 1; age < 1.4 * horizonDays; age += 7) {
    expect(await score(age)).toBeLessThan(atHorizon);
  }
  expect(await score(1.5 * horizonDays)).toBeGreaterThan(atHorizon);
});

test("a segment is of unit length, and two records are the more alike the nearer their times", async () => {
  const age = fc.integer({ min: 0, max: horizonDays * 24 }).map((hours) => hours / 24);
  await fc.assert(
    fc.asyncProperty(age, age, age, async (a, b, c) => {
      const first = await segmentOf(encoder, nowMs - a * dayMs);
      expect(unitLength(first)).toBe(true);
      const likeness = async (x: number) => dot(first, await segmentOf(encoder, nowMs - x * dayMs));
      const [near, far] = Math.abs(a - b) <= Math.abs(a - c) ? [b, c] : [c, b];
      expect(await likeness(near)).toBeGreaterThanOrEqual((await likeness(far)) - 1e-6);
    }),
  );
});

test("now and the half-life have defaults; times are read as records' are", async () => {
  const query = await encoder.encodeQuery({});
  expect(unitLength(query)).toBe(true);
  expect(
    await encoder.encodeQuery({ now: "2026-01-31T13:00:00+01:00", halfLifeDays: horizonDays / 4 }),
  ).toEqual(query);
  expect(await encoder.encodeQuery({ now: "2026-02-01" })).not.toEqual(query);
});

test("a query it can't read is refused with what can be said", async () => {
  const wrong = [
    null,
    "now",
    { halflife: 90 },
    { halfLifeDays: 0 },
    { halfLifeDays: "90" },
    { halfLifeDays: Number.NaN },
    { now: "yesterday" },
    { now: "2026-01-31T12:00:00" },
    { now: Number.NaN },
  ];
  for (const query of wrong) {
    await expect(encoder.encodeQuery(query as never)).rejects.toMatchObject({
      code: "query_invalid",
      mend: expect.stringContaining("halfLifeDays"),
    });
  }
});

function correlation(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  let [xy, xx, yy] = [0, 0, 0];
  xs.forEach((x, i) => {
    const y = ys[i] as number;
    xy += (x - mx) * (y - my);
    xx += (x - mx) ** 2;
    yy += (y - my) ** 2;
  });
  return xy / Math.sqrt(xx * yy);
}
