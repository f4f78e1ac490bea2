import { expect, test } from "vitest";
import { assignTask } from "./assign-task.ts";
import { cheap, classesOf, contender, splitOf } from "./contenders.fixture.ts";

const rows = 500;
const labels = classesOf(rows, 4, 1);
const task = { name: "topic", kind: "classification", values: labels } as const;

function weightsWith(signals: readonly number[]) {
  const contenders = signals.map((signal, at) =>
    contender({ space: `space${at}`, candidate: "words", cost: cheap }, labels, { signal, seed: at + 2 }),
  );
  return assignTask(contenders, { task, split: splitOf(rows) }, { seed: 1 }).weights;
}

test("a space that says nothing gets less weight than equal, and records not learned from are told better", () => {
  const learned = weightsWith([3, 0, 0]);
  expect(learned?.isUsed).toBe(true);
  expect(learned?.validation.low).toBeGreaterThan(0);
  expect(learned?.test.difference).toBeGreaterThan(0);
  const [telling, ...silent] = learned?.weights ?? [];
  for (const one of silent) expect(one.high).toBeLessThan(telling?.low as number);
  const mean = (learned?.weights ?? []).reduce((sum, { weight }) => sum + weight / 3, 0);
  expect(mean).toBeCloseTo(1, 9);
});

test("where spaces tell equally much, learned weights are refused", () => {
  const learned = weightsWith([3, 3, 3]);
  expect(learned?.isUsed).toBe(false);
  for (const { low, high } of learned?.weights ?? []) {
    expect(low).toBeLessThan(1.2);
    expect(high).toBeGreaterThan(0.8);
  }
});

test("one space has nothing to be weighed against", () => {
  expect(weightsWith([3])).toBeNull();
});
