import fc from "fast-check";
import { expect, test } from "vitest";
import { batchesByLength } from "./batches.ts";

const lengths = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 });

test("every text with tokens is in one batch, and every batch is within its bounds", () => {
  fc.assert(
    fc.property(
      lengths,
      fc.integer({ min: 1, max: 1_000 }),
      fc.integer({ min: 1, max: 20 }),
      (each, padded, texts) => {
        const batches = batchesByLength(each, { paddedTokensMax: padded, batchTextsMax: texts });
        const expected = each.flatMap((length, index) => (length > 0 ? [index] : []));
        expect(batches.flat().sort((a, b) => a - b)).toEqual(expected);
        for (const batch of batches) {
          const longest = Math.max(...batch.map((index) => each[index] as number));
          expect(batch.length).toBeLessThanOrEqual(texts);
          expect(batch.length === 1 || batch.length * longest <= padded).toBe(true);
        }
      },
    ),
  );
});

test("texts of like length are together, the longest first", () => {
  const batches = batchesByLength([3, 100, 4, 90, 0, 2], { paddedTokensMax: 200, batchTextsMax: 3 });
  expect(batches).toEqual([
    [1, 3],
    [2, 0, 5],
  ]);
});
