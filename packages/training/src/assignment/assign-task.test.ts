import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { assignTask, type TaskReport } from "./assign-task.ts";
import { cheap, classesOf, contender, dear, splitOf } from "./contenders.fixture.ts";

const rows = 800;
const labels = classesOf(rows, 3, 1);
const split = splitOf(rows);
const task = { name: "topic", kind: "classification", values: labels } as const;
const words = { space: "plot", candidate: "words", cost: cheap };
const text = { space: "plot", candidate: "text", cost: dear };
const cast = { space: "cast", candidate: "names", cost: cheap };

const chosenOf = ({ spaces }: TaskReport, at = 0) => {
  const { decision, verdict } = spaces[at] as TaskReport["spaces"][number];
  return { verdict, candidate: decision.arms[decision.chosen]?.parts[0]?.candidate };
};

test("a dear candidate is chosen where the cheap one is worse, and the test rows confirm it", () => {
  const report = assignTask(
    [contender(words, labels, { signal: 1, seed: 2 }), contender(text, labels, { signal: 4, seed: 3 })],
    { task, split },
    { seed: 1 },
  );
  expect(chosenOf(report)).toEqual({ verdict: "best", candidate: "text" });
  expect(report.spaces[0]?.decision.test.isConfirmed).toBe(true);
  expect(report.hasEvidence).toBe(true);
  expect(report.fusions).toBeNull();
});

test("of two that are as good the cheap one is chosen, whichever is ahead by accident", () => {
  for (const [a, b] of [
    [5, 5.2],
    [5.2, 5],
  ] as const) {
    const report = assignTask(
      [contender(text, labels, { signal: a, seed: 2 }), contender(words, labels, { signal: b, seed: 3 })],
      { task, split },
      { seed: 1 },
    );
    expect(chosenOf(report).candidate).toBe("words");
    expect(["best", "as_good"]).toContain(chosenOf(report).verdict);
  }
});

test("few rows don't tell whether the cheap one is as good, and it is said how many would", () => {
  const few = labels.slice(0, 120);
  const report = assignTask(
    [contender(words, few, { signal: 2.4, seed: 2 }), contender(text, few, { signal: 2.9, seed: 3 })],
    { task: { ...task, values: few }, split: splitOf(120) },
    { seed: 1 },
  );
  expect(chosenOf(report).verdict).toBe("undecided");
  expect(report.spaces[0]?.decision.recordsToDecide).toBeGreaterThan(120);
});

test("two spaces that know different things are better together, and each is missed when left out", () => {
  // Each space tells one bit of four classes.
  const random = new Random(9);
  const bits = labels.map(() => [random.below(2), random.below(2)] as const);
  const both = { ...task, values: bits.map(([a, b]) => `class ${a}${b}`) };
  const bit = (of: 0 | 1) => bits.map((pair) => `bit ${pair[of]}`);
  const report = assignTask(
    [contender(words, bit(0), { signal: 5, seed: 2 }), contender(cast, bit(1), { signal: 5, seed: 3 })],
    { task: both, split },
    { seed: 1 },
  );
  const { arms, chosen, best, test: look } = report.fusions as NonNullable<TaskReport["fusions"]>;
  expect(arms.map(({ parts }) => parts.length)).toEqual([1, 1, 2]);
  expect([chosen, best]).toEqual([2, 2]);
  expect(look.isConfirmed).toBe(true);
  expect(arms[0]?.behind.low).toBeGreaterThan(0.2);
});

test("numbers are told by their neighbours' mean", () => {
  const values = labels.map((label) => 10 * Number(label.slice(-1)) + 1);
  const report = assignTask(
    [contender(words, labels, { signal: 5, seed: 2 }), contender(text, labels, { signal: 0, seed: 3 })],
    { task: { name: "rating", kind: "regression", values }, split },
    { seed: 1 },
  );
  expect(chosenOf(report)).toEqual({ verdict: "best", candidate: "words" });
  const [told, silent] = report.spaces[0]?.decision.arms ?? [];
  expect([told?.tells, silent?.tells]).toEqual([true, false]);
});

test("with shuffled labels nothing is chosen: at most 2 of 40 runs on small data find anything", () => {
  let found = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const truth = classesOf(100, 3, seed);
    const shuffled = new Random(seed).shuffle([...truth]);
    const contenders = [
      contender(words, truth, { signal: 3, seed }),
      contender(text, truth, { signal: 5, seed: seed + 100 }),
      contender(cast, truth, { signal: 0, seed: seed + 200 }),
    ];
    const report = assignTask(
      contenders,
      { task: { ...task, values: shuffled }, split: splitOf(100) },
      { seed },
    );
    if (report.hasEvidence) found += 1;
  }
  expect(found).toBeLessThanOrEqual(2);
});

test("equal seeds give equal reports", () => {
  const contenders = [
    contender(words, labels, { signal: 2, seed: 2 }),
    contender(cast, labels, { signal: 2, seed: 3 }),
  ];
  const reports = [1, 2].map(() => assignTask(contenders, { task, split }, { seed: 5 }));
  expect(reports[0]).toEqual(reports[1]);
});

test("a task without enough labels is refused", () => {
  const values = labels.map((label, row) => (row < 605 ? label : null));
  expect(() =>
    assignTask(
      [contender(words, labels, { signal: 2, seed: 2 })],
      { task: { ...task, values }, split },
      { seed: 1 },
    ),
  ).toThrow(/task topic: one of its parts has .* records with a label/);
});
