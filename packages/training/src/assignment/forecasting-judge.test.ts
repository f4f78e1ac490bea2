import { Random, type Series } from "@medley/core";
import { expect, test } from "vitest";
import { assignTask } from "./assign-task.ts";
import { cheap, classesOf, contender, splitOf } from "./contenders.fixture.ts";
import { forecastingJudge } from "./forecasting-judge.ts";
import { type ForecastingTask, futuresOf } from "./futures.ts";

const series = (...values: (number | null)[][]): Series => ({ times: null, values });

function taskOf(values: (Series | null)[], pasts: (Series | null)[] | null = null): ForecastingTask {
  return { name: "next", kind: "forecasting", ids: values.map((_, row) => `r${row}`), values, pasts };
}

const near = (...rows: number[]) => ({ rows: Int32Array.from(rows), cosines: new Float64Array(2), k: 2 });

test("1 less the squared error beside that of the mean future, channel by channel, as by hand", () => {
  // The mean future is 2 and 20; off by 1 and by 10 in both records, which is 1 in each channel's own unit.
  const known = [series([1, 10]), series([3, 30])];
  const futures = futuresOf(taskOf([...known, series([2.5, 40])]));
  const judge = forecastingJudge(futures, Int32Array.of(0, 1));
  const [one, both] = judge.answers(near(1, 0), [1, 2]);
  expect(one?.score(0, 2)).toBeCloseTo(1 - (0.5 ** 2 + 1 ** 2) / 2, 6);
  expect(both?.score(0, 2)).toBeCloseTo(1 - (0.5 ** 2 + 2 ** 2) / 2, 6);
  expect(judge.baseline.score(0, 0)).toBeCloseTo(0, 6);
  expect(judge.baseline.score(0, 2)).toBeCloseTo(both?.score(0, 2) as number, 6);
  expect(judge.worth(1, 2)).toBeCloseTo(one?.score(0, 2) as number, 6);
});

test("what was not measured counts neither in a mean nor in an error", () => {
  const futures = futuresOf(taskOf([series([1], [null]), series([3], [6]), series([null], [5])]));
  const judge = forecastingJudge(futures, Int32Array.of(0, 1));
  const [first, both] = judge.answers(near(0, 1), [1, 2]);
  // The first known row says nothing of the second step: there the mean future, 6, answers, and so does the mean of both.
  expect(first?.score(0, 2)).toBeCloseTo(1 - 1 / (2 / 3), 6);
  expect(both?.score(0, 2)).toBe(first?.score(0, 2));
});

test("with what came before, records lend how they went on from their last readings", () => {
  const past = (...last: (number | null)[]) => series([7, 7], [5, 5], last);
  const futures = futuresOf(
    taskOf(
      [series([12, 1]), series([112, 1]), series([3, 3]), null],
      [past(10, 0), past(110, null), null, past(1, 1)],
    ),
  );
  expect([...futures.values]).toEqual([2, 1, 2, -4, Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
});

test.for([
  [
    "other lengths",
    taskOf([null, series([1], [2]), series([1])]),
    "the label of record r1 has 2 steps of 1 channels, that of r2 1 of 1",
  ],
  [
    "other channels",
    taskOf([series([1]), series([1, 2])]),
    "r0 has 1 steps of 1 channels, that of r1 1 of 2",
  ],
  [
    "channels that did not come before",
    taskOf([series([1, 2])], [series([1])]),
    "record r0 has a label of 2 channels, and 1 in what it comes after",
  ],
  [
    "more values than are compared",
    taskOf([series(...Array.from({ length: 4_097 }, () => [1]))]),
    "4097 steps of 1 channels, at most 4096 values",
  ],
] as const)("%s: refused with what to mend", ([, task, message]) => {
  expect(() => futuresOf(task)).toThrow(
    expect.objectContaining({
      code: "training_data_invalid",
      message: expect.stringContaining(message),
      mend: expect.any(String),
    }),
  );
});

/** Waves of four shapes, which one space tells and the other does not. */
function waves(seed: number, isShuffled: boolean) {
  const shapes = classesOf(200, 4, seed);
  const random = new Random(seed);
  const values = shapes.map((shape) => {
    const phase = (Math.PI / 2) * Number(shape.at(-1));
    return series(...Array.from({ length: 12 }, (_, step) => [Math.sin(phase + step / 2) + random.normal()]));
  });
  const contenders = [
    contender({ space: "shape", candidate: "told", cost: cheap }, shapes, { signal: 5, seed }),
    contender({ space: "noise", candidate: "silent", cost: cheap }, shapes, { signal: 0, seed: seed + 9 }),
  ];
  const task = taskOf(isShuffled ? random.shuffle(values) : values);
  return assignTask(contenders, { task, split: splitOf(200) }, { seed });
}

test("a space that tells what comes is told from one that does not", () => {
  const { spaces, baseline, weights, rows } = waves(1, false);
  expect(rows).toEqual({ train: 100, validation: 50, test: 50 });
  expect(baseline).toBeCloseTo(0, 0);
  const [shape, noise] = spaces;
  expect(shape).toMatchObject({ verdict: "best", decision: { test: { isConfirmed: true } } });
  expect(noise?.verdict).toBe("no_evidence");
  const [told, silent] = weights?.weights ?? [];
  expect(told?.low).toBeGreaterThan(silent?.high as number);
});

test("shuffled futures are no evidence: at most 1 of 20 runs finds any", () => {
  const found = Array.from({ length: 20 }, (_, at) => waves(at + 1, true).hasEvidence);
  expect(found.filter(Boolean).length).toBeLessThanOrEqual(1);
});
