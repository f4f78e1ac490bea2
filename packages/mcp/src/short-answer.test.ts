import { expect, test } from "vitest";
import { shortHits, shortValue } from "./short-answer.ts";

test("what fits stays as it is; at one more it is cut", () => {
  const fits = { text: "x".repeat(500), list: Array(20).fill(1), none: null, deep: { a: [1] } };
  expect(shortValue(fits)).toEqual(fits);
  expect(shortValue("x".repeat(501))).toBe(`${"x".repeat(499)}…`);
  expect(shortValue(Array(25).fill(1))).toEqual([...Array(20).fill(1), "… 5 more"]);
  const wide = Object.fromEntries(Array.from({ length: 22 }, (_, n) => [`k${n}`, n]));
  expect(Object.keys(shortValue(wide) as object)).toHaveLength(21);
  expect(shortValue(wide)).toMatchObject({ k19: 19, "…": "2 more" });
});

test("an answer is bounded as a whole: the last hits are left out and counted", () => {
  const fields = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`f${n}`, "x".repeat(400)]));
  const hits = Array.from({ length: 50 }, (_, n) => ({
    id: `r${n}`,
    score: 1,
    contributions: {},
    fields,
    place: n + 1,
  }));
  const short = shortHits(hits);
  expect(short.hits.map(({ id }) => id)).toEqual(hits.slice(0, 7).map(({ id }) => id));
  expect(short.leftOut).toBe(43);
  expect(JSON.stringify(short).length).toBeLessThan(61_000);
});
