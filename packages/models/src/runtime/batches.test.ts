import fc from "fast-check";
import { expect, test } from "vitest";
import { type BatchBounds, batchesByLength } from "./batches.ts";

const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 });
const anyBounds = fc.record({
  paddedValuesMax: fc.integer({ min: 1, max: 1_000 }),
  batchRowsMax: fc.integer({ min: 1, max: 20 }),
  runCostValues: fc.integer({ min: 0, max: 100 }),
  pads: fc.boolean(),
});

function costOf(
  batches: readonly (readonly number[])[],
  each: readonly number[],
  bounds: BatchBounds,
): number {
  const longest = (batch: readonly number[]) => Math.max(...batch.map((index) => each[index] as number));
  return batches.reduce((sum, batch) => sum + bounds.runCostValues + batch.length * longest(batch), 0);
}

test("every row with values is in one batch, and every batch is within its bounds", () => {
  fc.assert(
    fc.property(lengths, anyBounds, (each, bounds) => {
      const batches = batchesByLength(each, bounds);
      const expected = each.flatMap((length, index) => (length > 0 ? [index] : []));
      expect(batches.flat().sort((a, b) => a - b)).toEqual(expected);
      for (const batch of batches) {
        const sizes = batch.map((index) => each[index] as number);
        expect(batch.length).toBeLessThanOrEqual(bounds.batchRowsMax);
        expect(batch.length === 1 || batch.length * Math.max(...sizes) <= bounds.paddedValuesMax).toBe(true);
        if (!bounds.pads) expect(new Set(sizes).size).toBe(1);
      }
    }),
  );
});

/** Every way to cut the rows, sorted by length, into neighbours. */
function leastCost(each: readonly number[], bounds: BatchBounds): number {
  const sorted = each.filter((length) => length > 0).sort((a, b) => b - a);
  const from = (start: number): number => {
    if (start === sorted.length) return 0;
    let least = Number.POSITIVE_INFINITY;
    for (let rows = 1; rows <= Math.min(bounds.batchRowsMax, sorted.length - start); rows++) {
      const padded = rows * (sorted[start] as number);
      const mixed = !bounds.pads && sorted[start] !== sorted[start + rows - 1];
      if (rows > 1 && (padded > bounds.paddedValuesMax || mixed)) break;
      least = Math.min(least, bounds.runCostValues + padded + from(start + rows));
    }
    return least;
  };
  return from(0);
}

test("no other grouping costs less", () => {
  const few = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 9 });
  fc.assert(
    fc.property(few, anyBounds, (each, bounds) => {
      expect(costOf(batchesByLength(each, bounds), each, bounds)).toBe(leastCost(each, bounds));
    }),
  );
});

test("rows of like length are together, the longest first", () => {
  const bounds = { paddedValuesMax: 200, batchRowsMax: 3, runCostValues: 8, pads: true };
  expect(batchesByLength([3, 100, 4, 95, 0, 2], bounds)).toEqual([
    [1, 3],
    [2, 0, 5],
  ]);
});

test("a cheap start keeps unlike rows apart, a dear one brings them together", () => {
  const bounds = { paddedValuesMax: 200, batchRowsMax: 3, pads: true };
  expect(batchesByLength([100, 20], { ...bounds, runCostValues: 8 })).toEqual([[0], [1]]);
  expect(batchesByLength([100, 20], { ...bounds, runCostValues: 90 })).toEqual([[0, 1]]);
});
