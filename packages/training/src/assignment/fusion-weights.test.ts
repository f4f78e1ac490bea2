import { expect, test } from "vitest";
import { assignTask } from "./assign-task.ts";
import { cheap, classesOf, contender, splitOf } from "./contenders.fixture.ts";

interface Made {
  readonly rows: number;
  readonly seed?: number;
  readonly isSame?: boolean;
}

/** Of spaces that tell a class by so much above noise; `isSame`: by the same vectors. */
function weightsWith(signals: readonly number[], { rows, seed = 1, isSame = false }: Made) {
  const labels = classesOf(rows, 4, seed);
  const task = { name: "topic", kind: "classification", values: labels } as const;
  const contenders = signals.map((signal, at) => {
    const of = { space: `space${at}`, candidate: "words", cost: cheap };
    return contender(of, labels, { signal, seed: 100 * seed + (isSame ? 0 : at) });
  });
  return assignTask(contenders, { task, split: splitOf(rows) }, { seed }).weights;
}

test("spaces that say nothing get less weight than equal, and records not learned from are told better", () => {
  const learned = weightsWith([2, 0, 0, 0, 0], { rows: 1_000 });
  expect(learned?.isUsed).toBe(true);
  expect(learned?.validation.low).toBeGreaterThan(0);
  expect(learned?.test.low).toBeGreaterThan(0);
  const [telling, ...silent] = learned?.weights ?? [];
  for (const one of silent) expect(one.high).toBeLessThan(telling?.low as number);
  const mean = (learned?.weights ?? []).reduce((sum, { weight }) => sum + weight / 5, 0);
  expect(mean).toBeCloseTo(1, 9);
});

test("a few hundred records show which spaces say nothing", () => {
  for (const seed of [1, 2, 3]) {
    const [telling] = weightsWith([3, 0, 0], { rows: 300, seed })?.weights ?? [];
    expect(telling?.weight).toBeGreaterThan(2.3);
  }
});

test("where spaces tell equally much, learned weights are refused: at most 1 of 6 is used by accident", () => {
  const used = Array.from({ length: 6 }, (_, at) => {
    const learned = weightsWith([1.5, 1.5, 1.5], { rows: 300, seed: at + 1 });
    for (const { low, high } of learned?.weights ?? []) {
      expect(low).toBeLessThan(1.3);
      expect(high).toBeGreaterThan(0.7);
    }
    return learned?.isUsed;
  });
  expect(used.filter(Boolean).length).toBeLessThanOrEqual(1);
});

test("where weights make no difference there is no gain: both sides choose their number of neighbours alike", () => {
  for (const seed of [1, 2, 3]) {
    const learned = weightsWith([1.5, 1.5], { rows: 300, seed, isSame: true });
    expect(learned?.validation).toMatchObject({ difference: 0, low: 0, high: 0, isGain: false });
    expect(learned?.isUsed).toBe(false);
  }
});

test("one space has nothing to be weighed against", () => {
  expect(weightsWith([3], { rows: 300 })).toBeNull();
});
