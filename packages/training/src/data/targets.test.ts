import { expect, test } from "vitest";
import { referenceOf } from "../evaluation/reference.fixture.ts";
import { FingerprintBuilder, type FingerprintValue } from "./fingerprint.ts";
import { checkFinite, checkNumberTarget, checkRowCount, classTarget, classWeights } from "./targets.ts";

const invalid = (words: string) =>
  expect.objectContaining({ code: "training_data_invalid", message: expect.stringContaining(words) });

test("classes are numbered by name; rows without one and rare ones are left out and counted", () => {
  const target = classTarget(["b", null, "a", "b", "rare", "a", null], { name: "films.genre" });
  expect(target.classes).toEqual(["a", "b"]);
  expect([...target.rows]).toEqual([0, 2, 3, 5]);
  expect([...target.labels]).toEqual([1, 0, 1, 0]);
  expect(target.missing).toBe(2);
  expect([...target.rare]).toEqual([["rare", 1]]);
});

test.for([
  ["one class", ["a", "a", null], 'films.genre: 3 rows have one class, "a"'],
  ["no class", [null, "a"], "have no class with at least 2 rows"],
  ["nothing", [], "0 rows have no class"],
] as const)("%s: nothing to tell apart", ([, values, words]) => {
  expect(() => classTarget(values, { name: "films.genre" })).toThrow(invalid(words));
});

test("rare classes are refused where they are to be", () => {
  const values = ["a", "a", "b", "b", "z", "c"];
  expect(() => classTarget(values, { name: "t", rare: "refuse" })).toThrow(
    invalid('2 classes have fewer than 2 rows, first "c" with 1'),
  );
  expect(classTarget(values, { name: "t", rare: "refuse", rowsPerClassMin: 1 }).classes).toHaveLength(4);
});

test("weights of classes are scikit-learn's", () => {
  const cases = referenceOf<{ truth: number[]; classCount: number; classWeights: number[] }>(
    "classification",
  );
  for (const { truth, classCount, classWeights: expected } of cases) {
    for (const [of, weight] of classWeights(truth, { classCount }).entries()) {
      expect(weight).toBeCloseTo(expected[of] as number, 6);
    }
  }
});

test("numbers to predict are finite and differ", () => {
  const target = { name: "films.rating", ids: ["a", "b", "c"] };
  expect(() => checkNumberTarget([1, 1, 2], target)).not.toThrow();
  expect(() => checkNumberTarget([1, 1, 1], target)).toThrow(invalid("all 3 rows have the same value"));
  expect(() => checkNumberTarget([1, Number.NaN, Number.POSITIVE_INFINITY], target)).toThrow(
    invalid('films.rating: 2 of 3 rows hold NaN or Infinity, first "b"'),
  );
  expect(() => checkFinite([1, 2, 3, 4, 5, Number.NaN], target)).toThrow(invalid("1 of 3 rows hold NaN"));
});

test("too few rows", () => {
  const bounds = { name: "films.plot", rowsMin: 10 };
  expect(() => checkRowCount(10, bounds)).not.toThrow();
  expect(() => checkRowCount(9, bounds)).toThrow(invalid("films.plot: only 9 rows to train on, at least 10"));
  expect(() => checkRowCount(0, bounds)).toThrow(invalid("no rows to train on"));
});

test("a fingerprint follows ids and values, not their order; values can't be mistaken for each other", () => {
  const of = (...rows: [string, FingerprintValue][]) => {
    const builder = new FingerprintBuilder("papers.jsonl");
    for (const [id, value] of rows) builder.add(id, value);
    return builder.finish();
  };
  const two = of(["a", 1n], ["b", 2n]);
  expect(two).toMatchObject({ count: 2, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(of(["b", 2n], ["a", 1n])).toEqual(two);
  const different = [
    of(["a", 1n], ["b", 3n]),
    of(["a", 1n], ["c", 2n]),
    of(["a", 1n]),
    of(["a", 1], ["b", 2]),
    of(["a", "1"], ["b", "2"]),
    of(["a", ["x", "y"]]),
    of(["a", ["xy"]]),
    of(["a", [["x"], "y"]]),
    of(["a", null]),
    of(["a", "null"]),
    of(["a", Float32Array.of(1, 2)]),
    of(["a", Float32Array.of(2, 1)]),
    two,
  ].map(({ sha256 }) => sha256);
  expect(new Set(different).size).toBe(different.length);
  expect(() => of(["a", 1n], ["b", 2n], ["a", 3n])).toThrow(
    invalid('papers.jsonl: the record "a" comes twice'),
  );
});
