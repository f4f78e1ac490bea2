import { expect, test } from "vitest";
import { FusedRecall, meanRecall } from "./fused-recall.ts";

const rowCount = 30;
/** One query, made of row 0: rows are the better the lower their number, in steps of `size`. */
const steps = (size: number) => Float32Array.from({ length: rowCount }, (_, row) => -Math.floor(row / size));
const weightings = [{ name: "all alike", weights: [1, 1] }];
const options = { queries: [Int32Array.of(0, 0)], rowCount, says: () => true };

test("the query's own row does not count; what is found is counted by its score", () => {
  const exact = [steps(1), steps(1)];
  const recall = new FusedRecall(weightings, { ...options, exact });
  expect(meanRecall(recall.ofQueries(exact, 0))).toBe(1);
  const turned = exact.map((cosines) => cosines.map((x, row) => (row > 5 ? x - 12 : x)));
  expect(meanRecall(recall.ofQueries(turned, 0))).toBe(1);
  // Rows 6 to 10 give way to 11 to 15.
  const others = exact.map((cosines) => cosines.map((x, row) => (row > 5 && row < 11 ? -100 : x)));
  expect(meanRecall(recall.ofQueries(others, 0))).toBe(0.5);
});

test("of rows that are equally good any will do", () => {
  const exact = [steps(20), steps(20)];
  const recall = new FusedRecall(weightings, { ...options, exact });
  const others = exact.map((cosines) => cosines.map((x, row) => (row < 9 ? -100 : x)));
  expect(meanRecall(recall.ofQueries(others, 0))).toBe(1);
});

test("a query that says nothing of what counts is not asked", () => {
  const exact = [steps(1), steps(1)];
  const single = [{ name: "first alone", weights: [1, 0] }];
  const says = (_query: number, space: number) => space === 1;
  const recall = new FusedRecall(single, { ...options, says, exact });
  expect([...recall.ofQueries(exact, 0)]).toEqual([Number.NaN]);
  expect(meanRecall(recall.ofQueries(exact, 0))).toBe(1);
});

test("of more candidates the exact scores choose, and no more than there are rows are counted", () => {
  const exact = [steps(1), steps(1)];
  // Rows 6 to 10 come behind row 15, each before one of 16 to 20.
  const others = exact.map((cosines) => cosines.map((x, row) => (row > 5 && row < 11 ? x - 9.5 : x)));
  const found = (candidates: number) =>
    meanRecall(new FusedRecall(weightings, { ...options, exact, candidates }).ofQueries(others, 0));
  expect(found(10)).toBe(0.5);
  expect(found(13)).toBe(0.7);
  expect(found(19)).toBe(1);
  expect(found(100)).toBe(1);
});
