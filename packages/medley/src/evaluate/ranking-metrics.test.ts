import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ndcgAtK, recallAtK, reciprocalRankAtK } from "./ranking-metrics.ts";

interface Reference {
  readonly grades: Readonly<Record<string, number>>;
  readonly ranked: readonly string[];
  readonly ndcg10: number;
  readonly recall10: number;
  readonly recall20: number;
  readonly reciprocalRank10: number;
}

/** Made by infra/reference/retrieval.py: graded from -1 to 3, lists longer and shorter than k. */
const references: readonly Reference[] = readFileSync(new URL("./reference.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

test.for(references)("as trec_eval says it: nDCG@10 $ndcg10", ({ grades, ranked, ...expected }) => {
  const judged = new Map(Object.entries(grades));
  expect(ndcgAtK(ranked, judged, { k: 10 })).toBeCloseTo(expected.ndcg10, 12);
  expect(recallAtK(ranked, judged, { k: 10 })).toBeCloseTo(expected.recall10, 12);
  expect(recallAtK(ranked, judged, { k: 20 })).toBeCloseTo(expected.recall20, 12);
  expect(reciprocalRankAtK(ranked, judged, { k: 10 })).toBeCloseTo(expected.reciprocalRank10, 12);
});

test("the references are worth comparing with", () => {
  expect(references.filter(({ ndcg10 }) => ndcg10 > 0 && ndcg10 < 1).length).toBeGreaterThanOrEqual(4);
});

test("the best order has nDCG 1, whatever comes after it; nothing found has 0", () => {
  const judged = new Map([
    ["a", 1],
    ["b", 3],
    ["c", 0],
  ]);
  expect(ndcgAtK(["b", "a", "x", "c"], judged, { k: 10 })).toBe(1);
  expect(ndcgAtK(["a", "b"], judged, { k: 10 })).toBeLessThan(1);
  expect(ndcgAtK([], judged, { k: 10 })).toBe(0);
  expect(reciprocalRankAtK(["x", "c"], judged, { k: 10 })).toBe(0);
});
