import { expect, test } from "vitest";
import { Random } from "./random.ts";

test("numbers are those of mulberry32, in their order, for the seed", () => {
  const random = new Random(7);
  // Of the reference implementation in C.
  expect([random.uint32(), random.uint32(), random.uint32()]).toEqual([50271532, 266108690, 4195786334]);
  expect(new Random(7).uint32()).not.toBe(new Random(8).uint32());
});
