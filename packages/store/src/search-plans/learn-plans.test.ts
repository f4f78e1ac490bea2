import fc from "fast-check";
import { expect, test } from "vitest";
import { FindingsByShares } from "./findings-by-shares.ts";
import { deeperRung, type Findings, learnPlans, type Rung, Tally } from "./learn-plans.ts";
import { judgesPlans, SampledWeightings, sharesOf } from "./weightings.ts";

const rungs: readonly Rung[] = [
  { place: 1, depth: 40, ms: 1 },
  { place: 1, depth: 200, ms: 4 },
  { place: 2, depth: 40, ms: 2 },
  { place: 3, depth: 40, ms: 8 },
];
const wanted = 4;
/** Of so many queries alike, 2 misses besides are a hundredth. */
const often = (findings: Findings): Findings[] => Array.from({ length: 50 }, () => findings);

test("the cheapest rungs that together find enough", () => {
  const findings = often([[1], [1, 2], [3, 4], [1, 2, 3, 4]]);
  const learned = learnPlans(rungs, [{ findings }], { wanted, targets: [0.98, 0.73, 0.2] });
  expect(learned.plans).toEqual([[1, 2], [0, 2], [0]]);
  expect(learned.outcomes).toEqual([
    [
      { recall: expect.closeTo(200 / 202), ms: 6 },
      { recall: expect.closeTo(150 / 202), ms: 3 },
      { recall: expect.closeTo(50 / 202), ms: 1 },
    ],
  ]);
});

test("what the first choice has made needless is left out", () => {
  const findings = often([[1, 2], [1, 2], [], [1, 2, 3, 4]]);
  expect(learnPlans(rungs, [{ findings }], { wanted, targets: [0.98] }).plans).toEqual([[3]]);
});

test("a weighting at which nothing finds enough has no plan, and is measured with those of others", () => {
  const hopeless = often([[], [1], [], []]);
  const easy = often([[1, 2, 3, 4], [1, 2, 3, 4], [], []]);
  const learned = learnPlans(rungs, [{ findings: hopeless }, { findings: easy }], {
    wanted,
    targets: [0.95],
  });
  expect(learned.plans).toEqual([[0]]);
  expect(learned.outcomes).toMatchObject([[{ recall: 0 }], [{ recall: expect.closeTo(200 / 202) }]]);
});

test("where the first choice leads away from the best, two paths are read otherwise at once", () => {
  // The first finds the most for its cost, and the two others together are cheaper than what has to come to it.
  const three: Rung[] = [
    { place: 1, depth: 40, ms: 3 },
    { place: 2, depth: 40, ms: 2.5 },
    { place: 3, depth: 40, ms: 2.5 },
    { place: 4, depth: 40, ms: 4 },
  ];
  const apart = often([[1, 2, 3], [1, 2], [3, 4], [4]]);
  expect(learnPlans(three, [{ findings: apart }], { wanted, targets: [0.98] }).plans).toEqual([[1, 2]]);
});

test("where paths disagree all are read two rungs deeper, or as deep as there is", () => {
  const deep: Rung[] = [
    ...[40, 80, 160].map((depth): Rung => ({ place: 0, depth, ms: depth / 40 })),
    ...[40, 80].map((depth): Rung => ({ place: 1, depth, ms: depth / 20 })),
  ];
  expect(deep.map((_, rung) => deeperRung(deep, rung))).toEqual([2, 2, null, 4, null]);
  const agreeing: Findings = [[1, 2], [1, 2], [1, 2, 3, 4], [1], [1, 2]];
  const disagreeing: Findings = [[1, 2], [1, 2], [1, 2, 3, 4], [3], [3]];
  const outcomeOf = (findings: Findings[], plan: number[]) =>
    new Tally(deep, findings, wanted).outcomeOf(plan);
  expect(outcomeOf(often(agreeing), [0, 3])).toEqual({ recall: expect.closeTo(100 / 202), ms: 3 });
  expect(outcomeOf(often(disagreeing), [0, 3])).toEqual({ recall: expect.closeTo(200 / 202), ms: 3 + 4 + 4 });
  expect(outcomeOf([agreeing, disagreeing], [0, 3]).ms).toBe(3 + 8 / 2);
  // Nothing says that one path by itself has missed something.
  expect(outcomeOf(often(disagreeing), [0])).toEqual({ recall: expect.closeTo(100 / 202), ms: 1 });
  expect(outcomeOf(often(disagreeing), [3])).toEqual({ recall: expect.closeTo(50 / 202), ms: 2 });
});

test("under a filter the graph over all spaces is read on for its candidates, one of a space for its depth, a set to its end", () => {
  const paths: readonly Rung[] = [
    ...[40, 80, 160].map((depth): Rung => ({ place: 0, depth, ms: depth / 40 })),
    ...[40, 80].map((depth): Rung => ({ place: 1, depth, ms: depth / 20 })),
    ...[200, 1_000].map((depth): Rung => ({ place: 2, depth, ms: 3 })),
    { place: 3, depth: 100, ms: 2 },
  ];
  const growths = paths.map((_, only) => {
    const findings = often(paths.map((_, rung) => (rung === only ? [1, 2, 3, 4] : [])));
    const { plans, growths } = learnPlans(paths, [{ findings }], { wanted, targets: [0.95] });
    expect(plans).toEqual([[only]]);
    return growths[0];
  });
  expect(growths).toEqual(
    [20 / 40, 20 / 40, 20 / 40, 40 / 20, 80 / 20, 0, 0, 2].map((ms) => expect.closeTo(ms)),
  );
  const first = often(paths.map((_, rung) => (rung === 0 ? [1, 2, 3, 4] : [])));
  const more = learnPlans(paths, [{ findings: first }], { wanted, targets: [0.95], candidates: 40 });
  expect(more.growths).toEqual([expect.closeTo(40 / 40)]);
});

test("few queries promise little, and so do those that differ", () => {
  const recallOf = (findings: Findings[]) => new Tally(rungs, findings, wanted).outcomeOf([0]).recall;
  const found = (rows: readonly number[]): Findings => [rows, [], [], []];
  const all = found([1, 2, 3, 4]);
  expect(recallOf([])).toBe(0);
  expect(recallOf([all])).toBeCloseTo(4 / 6);
  expect(recallOf(often(all))).toBeCloseTo(200 / 202);
  const standardError = 0.25 / Math.sqrt(2);
  expect(recallOf([found([1, 2]), all])).toBeCloseTo(6 / 10 - 2.8 * standardError);
});

test("of many equals any will do, however many there are", () => {
  const spaces = Array.from({ length: 20 }, (_, at): Rung => ({ place: at + 1, depth: 40, ms: 1 }));
  const equals = (first: number) => [first, first + 1, first + 2];
  const tally = new Tally(spaces, often(spaces.map((_, rung) => equals(3 * rung))), wanted);
  expect(tally.outcomeOf([0]).recall).toBeCloseTo(150 / 202);
  expect(tally.outcomeOf([0, 1]).recall).toBeCloseTo(200 / 202);
  expect(new Tally(spaces, often([[70, 71, 72, 73]]), wanted).outcomeOf([0]).recall).toBeCloseTo(200 / 202);
});

test("findings are kept by what a query asks for, and few are joined by those of the nearest shares", () => {
  const gathered = new FindingsByShares();
  const findings = (rung: number): Findings => [[rung]];
  for (let n = 0; n < 25; n++) gathered.add([1, 1, 5], [1, 1, 0], findings(1));
  for (let n = 0; n < 15; n++) gathered.add([2, -2, 1], [1, -1, 0], findings(2));
  for (let n = 0; n < 3; n++) gathered.add([1, 1, 0.1], [1, 1, 1], findings(3));
  gathered.add([0, 0, -1], [1, 1, 1], findings(4));
  const [even, nearlyEven, turned] = gathered.all();
  expect(even?.shares).toEqual([expect.closeTo(Math.SQRT1_2), expect.closeTo(Math.SQRT1_2), 0]);
  expect(even?.findings).toHaveLength(40);
  expect(nearlyEven?.findings).toHaveLength(43);
  expect(nearlyEven?.findings.slice(0, 3)).toEqual([findings(3), findings(3), findings(3)]);
  expect(turned?.shares).toEqual([0, 0, -1]);
  expect(turned?.findings[0]).toEqual(findings(4));
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
        const { plans, outcomes } = of(target);
        for (const plan of plans) {
          expect(new Set(plan.map((rung) => rungs[rung]?.place)).size).toBe(plan.length);
          expect(outcomes[0]?.[0]?.recall).toBeGreaterThanOrEqual(target);
          expect(outcomes[0]?.[0]?.ms).toBeGreaterThan(0);
        }
      }
    }),
  );
});

test("weightings to learn from: each kind, none twice, none that asks for nothing, at most 96 a query however many spaces", () => {
  for (const spaces of [1, 2, 5, 30]) {
    let state = 1;
    const random = () => {
      state = (state * 16_807) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const sampled = new SampledWeightings(spaces, random);
    const weightings = sampled.of(0);
    expect(sampled.of(4)).toEqual(weightings);
    if (spaces > 1) expect(sampled.of(1)).not.toEqual(weightings);
    expect(weightings.length).toBeLessThanOrEqual(96);
    expect(new Set(weightings.map(String)).size).toBe(weightings.length);
    for (const weights of weightings) {
      expect(weights).toHaveLength(spaces);
      expect(Math.hypot(...sharesOf(weights))).toBeCloseTo(1);
    }
    expect(weightings.some((weights) => weights.some((weight) => weight < 0))).toBe(true);
  }
});

test("a query judges plans where one space counts, or several that are not all of one row", () => {
  const judges = (weights: number[], areShared: boolean[], sides = weights.map(() => 1)) =>
    judgesPlans(weights, { sides, areShared });
  expect(judges([0, 0], [true, false])).toBe(false);
  expect(judges([0, -1], [true, true])).toBe(true);
  expect(judges([1, 2], [true, true])).toBe(false);
  expect(judges([1, 2], [true, false])).toBe(true);
  expect(judges([1, 2], [false, false])).toBe(true);
  expect(judges([1, 2, 0], [true, true, false])).toBe(false);
  expect(judges([1, 2, 1], [true, true, false], [1, -1, 0])).toBe(false);
});
