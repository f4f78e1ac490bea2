import { expect, test } from "vitest";
import { planText } from "./search.ts";

const plan = { rows: 100_000, passingRows: 100_000, estimatedMs: 3.14, learned: true };

test("how hits are found is told in a line: a scan, paths that were learned, paths that were not", () => {
  expect(planText({ ...plan, method: "exact", paths: [], estimatedRecall: 1 })).toBe(
    "scans 100,000 rows exactly: 3.1 ms expected",
  );
  const paths = [
    { path: "all spaces", kind: "fused", depth: 70 },
    { path: "year", kind: "ordered", depth: 2_000 },
  ];
  expect(planText({ ...plan, method: "paths", paths, estimatedRecall: 0.9612 })).toBe(
    "reads all spaces to 70, year to 2,000: recall 0.961, 3.1 ms expected",
  );
  expect(planText({ ...plan, method: "paths", paths, estimatedRecall: null, learned: false })).toBe(
    "reads all spaces to 70, year to 2,000: not learned, run medley analyze",
  );
  const words = { path: "words", kind: "words", depth: 1_200 };
  expect(planText({ ...plan, method: "paths", paths: [...paths, words], estimatedRecall: 0.9612 })).toBe(
    "reads all spaces to 70, year to 2,000: recall 0.961, 3.1 ms expected; ranks about 1,200 rows that match words",
  );
});
