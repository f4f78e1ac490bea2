import { MedleyError } from "@medley/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bisect } from "./bisect.ts";

const invalid = () => new MedleyError("record_invalid", "this one");

test("exactly the items at fault are returned, all others have run through, one fault costs 2·log2(n) + 1 runs at most", async () => {
  const part = fc.integer({ min: 1, max: 200 }).chain((length) =>
    fc.record({
      length: fc.constant(length),
      faults: fc.uniqueArray(fc.nat(length - 1), { maxLength: 5 }),
    }),
  );
  await fc.assert(
    fc.asyncProperty(part, async ({ length, faults }) => {
      const items = Array.from({ length }, (_, at) => at);
      const done: number[] = [];
      const taking = new Array<number>(length).fill(0);
      let runs = 0;
      const isolated = await bisect(items, async (some) => {
        runs += 1;
        for (const item of some) taking[item] = (taking[item] as number) + 1;
        if (some.some((item) => faults.includes(item))) throw invalid();
        done.push(...some);
      });
      expect(isolated.map(({ item }) => item)).toEqual(faults.toSorted((a, b) => a - b));
      expect(done.toSorted((a, b) => a - b)).toEqual(items.filter((item) => !faults.includes(item)));
      const depth = Math.ceil(Math.log2(length));
      if (faults.length === 1) expect(runs).toBeLessThanOrEqual(2 * depth + 1);
      expect(Math.max(...taking)).toBeLessThanOrEqual(depth + 1);
    }),
  );
});

test("a passing error is thrown as it is: nothing is isolated for it", async () => {
  const away = new MedleyError("store_unavailable", "Postgres is away");
  let runs = 0;
  const run = async () => {
    runs += 1;
    throw away;
  };
  await expect(bisect([1, 2, 3], run)).rejects.toBe(away);
  expect(runs).toBe(1);
});

test("an unknown error counts as passing, so that nothing is lost", async () => {
  const run = () => Promise.reject(new TypeError("a bug"));
  await expect(bisect([1, 2], run)).rejects.toThrow("a bug");
});

test("without items nothing runs", async () => {
  expect(await bisect([], () => Promise.reject(invalid()))).toEqual([]);
});
