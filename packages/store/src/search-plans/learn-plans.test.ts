import fc from "fast-check";
import { expect, test } from "vitest";
import { costOf, type Findings, learnPlans, type Rung, recallOf } from "./learn-plans.ts";
import { sampleWeightings, sharesOf } from "./weightings.ts";

const rungs: readonly Rung[] = [
  { place: 0, depth: 40, ms: 1 },
  { place: 0, depth: 200, ms: 4 },
  { place: 1, depth: 40, ms: 2 },
  { place: 2, depth: 40, ms: 8 },
];
const wanted = 4;
/** Of so many queries alike, 2 misses besides are a hundredth. */
const often = (findings: Findings): Findings[] => Array.from({ length: 50 }, () => findings);

test("the cheapest rungs that together find enough", () => {
  const findings = often([[1], [1, 2], [3, 4], [1, 2, 3, 4]]);
  const { plans, recalls } = learnPlans(rungs, [{ findings }], { wanted, targets: [0.98, 0.73, 0.2] });
  expect(plans).toEqual([[1, 2], [0, 2], [0]]);
  const found = [200, 150, 50];
  expect(recalls).toEqual([found.map((rows) => expect.closeTo(rows / 202))]);
});

test("what the first choice has made needless is left out", () => {
  const findings = often([[1, 2], [1, 2], [], [1, 2, 3, 4]]);
  expect(learnPlans(rungs, [{ findings }], { wanted, targets: [0.98] }).plans).toEqual([[3]]);
});

test("a weighting at which nothing finds enough has no plan, and is measured with those of others", () => {
  const hopeless = often([[], [1], [], []]);
  const easy = often([[1, 2, 3, 4], [1, 2, 3, 4], [], []]);
  const { plans, recalls } = learnPlans(rungs, [{ findings: hopeless }, { findings: easy }], {
    wanted,
    targets: [0.95],
  });
  expect(plans).toEqual([[0]]);
  expect(recalls).toEqual([[0], [expect.closeTo(200 / 202)]]);
});

test("few queries promise little", () => {
  const found = (rows: readonly number[]): Findings => [rows, [], [], []];
  const all = found([1, 2, 3, 4]);
  expect(recallOf([0], [], wanted)).toBe(0);
  expect(recallOf([0], [all], wanted)).toBeCloseTo(4 / 6);
  expect(recallOf([0], often(all), wanted)).toBeCloseTo(200 / 202);
  expect(recallOf([0], [found([1, 2]), all], wanted)).toBeCloseTo(6 / 10);
});

test("a plan reaches its target at the weighting it was found at, reads a path once, and more targets cost no less", () => {
  const rows = fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { maxLength: wanted });
  const query = fc.tuple(rows, rows, rows, rows).map(
    // What is deeper finds what is less deep as well.
    ([a, b, c, d]): Findings => [a, [...new Set([...a, ...b])].slice(0, wanted), c, d],
  );
  fc.assert(
    fc.property(fc.array(query, { minLength: 1, maxLength: 5 }), (findings) => {
      const of = (target: number) => learnPlans(rungs, [{ findings }], { wanted, targets: [target] });
      for (const target of [0.3, 0.6]) {
        const { plans, recalls } = of(target);
        for (const plan of plans) {
          expect(new Set(plan.map((rung) => rungs[rung]?.place)).size).toBe(plan.length);
          expect(recalls[0]?.[0]).toBeGreaterThanOrEqual(target);
          expect(costOf(plan, rungs)).toBeGreaterThan(0);
        }
      }
    }),
  );
});

test("weightings to learn from: each kind, none twice, none that asks for nothing, at most 96 however many spaces", () => {
  for (const spaces of [1, 2, 5, 30]) {
    let state = 1;
    const random = () => {
      state = (state * 16_807) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const weightings = sampleWeightings(spaces, random);
    expect(weightings.length).toBeLessThanOrEqual(96);
    expect(new Set(weightings.map(String)).size).toBe(weightings.length);
    for (const weights of weightings) {
      expect(weights).toHaveLength(spaces);
      expect(Math.hypot(...sharesOf(weights))).toBeCloseTo(1);
    }
    expect(weightings.some((weights) => weights.some((weight) => weight < 0))).toBe(true);
  }
});
