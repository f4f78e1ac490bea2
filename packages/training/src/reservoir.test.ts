import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { sampleItems } from "./reservoir.ts";

const numbers = Array.from({ length: 100 }, (_, i) => i);

test("no more items than asked for are all taken, in order", async () => {
  expect(await sampleItems(numbers, { itemsMax: 100, random: new Random(1) })).toEqual(numbers);
});

test("every item is as likely as any other", async () => {
  const taken = new Float64Array(100);
  const random = new Random(1);
  for (let round = 0; round < 2_000; round += 1) {
    for (const item of await sampleItems(numbers, { itemsMax: 10, random }))
      taken[item] = (taken[item] as number) + 1;
  }
  // 200 each are expected, of deviation 13.4.
  for (const count of taken) expect(Math.abs(count - 200)).toBeLessThan(65);
});
