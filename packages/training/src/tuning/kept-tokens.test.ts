import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { keptTokens } from "./kept-tokens.ts";

const row = { ids: Int32Array.from({ length: 20 }, (_, at) => at), skipped: 3 };

test("the prompt, the first and the last token are kept, and others at random, in their order", () => {
  const random = new Random(1);
  const seen = new Set<number>();
  for (let draw = 0; draw < 200; draw += 1) {
    const kept = [...(keptTokens(row, 8, random) as Int32Array)];
    expect(kept).toHaveLength(8);
    expect(kept.slice(0, 4)).toEqual([0, 1, 2, 3]);
    expect(kept.at(-1)).toBe(19);
    expect(kept).toEqual([...new Set(kept)].sort((a, b) => a - b));
    for (const place of kept) seen.add(place);
  }
  expect(seen.size).toBe(20);
});

test("a row with no more tokens than are kept stays whole", () => {
  expect(keptTokens(row, 20, new Random(1))).toBeNull();
});
