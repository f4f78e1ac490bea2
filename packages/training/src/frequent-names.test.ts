import { expect, test } from "vitest";
import { FrequentNames } from "./frequent-names.ts";

test("the most frequent names come first, equals in order, rare ones not at all", () => {
  const frequent = new FrequentNames({ namesMax: 3 });
  for (const names of [["b", "a", "c"], ["b", "a", "d"], ["c", "b"], ["d"]]) frequent.add(names);
  expect(frequent.top(2)).toEqual({ names: ["b", "a", "c"], counts: Uint32Array.of(3, 2, 2) });
  expect(frequent.top(3).names).toEqual(["b"]);
});

test("among more names than are held, the frequent ones are found", () => {
  const frequent = new FrequentNames({ namesMax: 2 });
  for (let i = 0; i < 450_000; i += 1) {
    frequent.add(i % 100 === 0 ? ["often", `once ${i}`] : [`once ${i}`]);
    if (i % 300 === 0) frequent.add(["less often"]);
  }
  const { names, counts } = frequent.top(2);
  expect(names).toEqual(["often", "less often"]);
  expect(counts).toEqual(Uint32Array.of(4_500, 1_500));
});
