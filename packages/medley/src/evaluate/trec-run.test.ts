import { expect, test } from "vitest";
import { trecRun } from "./trec-run.ts";

const query = (id: string) => ({ id, text: "", parts: {}, grades: new Map([["a", 1]]), class: null });

test("a hit a line, ranks from 1", () => {
  const hits = [
    { id: "b", score: 0.5 },
    { id: "a", score: -0.25 },
  ];
  expect(trecRun([query("q1"), query("q2")], { ranking: [hits, []] })).toBe(
    "q1 Q0 b 1 0.5 medley\nq1 Q0 a 2 -0.25 medley\n",
  );
});

test("an id with a blank is refused: it would be read as two columns", () => {
  const ranking = [[{ id: "a b", score: 1 }]];
  expect(() => trecRun([query("q")], { ranking })).toThrow("blank");
  expect(() => trecRun([query("q 1")], { ranking: [[{ id: "a", score: 1 }]] })).toThrow("blank");
});
