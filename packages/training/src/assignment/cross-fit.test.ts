import { expect, test } from "vitest";
import { crossFit, crossFittedMean, foldSums } from "./cross-fit.ts";

const folds = Uint8Array.from([0, 1, 0, 1]);

test("a row is scored by the setting that is best on the other folds, not on its own", () => {
  // The second setting is best on fold 0 alone, so only fold 1 is scored with it.
  const scores = [
    [0, 0, 0, 1],
    [1, 0, 1, 0],
  ];
  const fitted = crossFit(scores, folds);
  expect([...fitted.scores]).toEqual([0, 0, 0, 0]);
  expect(fitted.setting).toBe(1);
  const sums = scores.map((row) => foldSums(folds, (at) => row[at] as number));
  expect(crossFittedMean(sums, 4)).toBe(0);
});

test("of settings that do equally well the first is taken", () => {
  expect(
    crossFit(
      [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
      ],
      folds,
    ).setting,
  ).toBe(0);
});
