import { Random } from "@medley/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { shapedBatches, shapeLengths, type Unit } from "./shape-buckets.ts";

const lengthsOf = fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 200 });

test("every unit is in one batch that is long enough for it; all but one batch are full", () => {
  fc.assert(
    fc.property(lengthsOf, fc.integer(), fc.constantFrom(1, 2), (lengths, seed, perUnit) => {
      const batchRows = 8;
      const shapes = shapeLengths(lengths, { batchRows });
      const units = lengths.map(
        (length, unit): Unit => ({
          rows: Array.from({ length: perUnit }, (_, at) => unit * perUnit + at),
          length,
        }),
      );
      const batches = shapedBatches(units, shapes, { batchRows, random: new Random(seed) });
      const rows = batches.flatMap((batch) => batch.rows);
      expect([...rows].sort((a, b) => a - b)).toEqual(Array.from(rows.keys()));
      expect(rows.length).toBe(lengths.length * perUnit);
      for (const { length, rows: its } of batches) {
        expect(shapes).toContain(length);
        for (const row of its)
          expect(lengths[Math.floor(row / perUnit)] as number).toBeLessThanOrEqual(length);
      }
      expect(batches.filter((batch) => batch.rows.length < batchRows).length).toBeLessThanOrEqual(1);
    }),
  );
});

test("shapes are few, rise, and end with the longest; one that would not fill a batch is joined with the next", () => {
  expect(shapeLengths([5, 6, 7], { batchRows: 16 })).toEqual([7]);
  const many = [...Array(40).fill(10), ...Array(40).fill(100), 190];
  expect(shapeLengths(many, { batchRows: 16 })).toEqual([12, 128, 190]);
  fc.assert(
    fc.property(lengthsOf, (lengths) => {
      const shapes = shapeLengths(lengths, { batchRows: 4 });
      expect(shapes.length).toBeLessThanOrEqual(6);
      expect(shapes.at(-1)).toBe(Math.max(...lengths));
      expect(shapes).toEqual([...shapes].sort((a, b) => a - b));
    }),
  );
});

test("the order follows from the seed", () => {
  const units = Array.from({ length: 64 }, (_, row): Unit => ({ rows: [row], length: 10 }));
  const of = (seed: number) =>
    shapedBatches(units, [12], { batchRows: 8, random: new Random(seed) }).map(({ rows }) => rows.join());
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(2));
});
