import fc from "fast-check";
import { expect, test } from "vitest";
import { drawAlias, fillAlias } from "./alias.ts";

function tableOf(weights: readonly number[]) {
  const table = {
    probability: new Float32Array(weights.length),
    alias: new Uint32Array(weights.length),
  };
  fillAlias(weights, 0, weights.length, table);
  return table;
}

test("the shares of a table are those of its weights", () => {
  const weights = fc.array(fc.double({ min: 1e-3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(weights, (given) => {
      const { probability, alias } = tableOf(given);
      const shares = given.map(() => 0);
      for (const [slot, own] of probability.entries()) {
        const other = alias[slot] as number;
        shares[slot] = (shares[slot] as number) + own / given.length;
        shares[other] = (shares[other] as number) + (1 - own) / given.length;
      }
      const sum = given.reduce((total, weight) => total + weight);
      for (const [slot, weight] of given.entries()) expect(shares[slot]).toBeCloseTo(weight / sum, 5);
    }),
  );
});

test("a number draws the slot whose part of the line it lies in", () => {
  const table = tableOf([1, 3]);
  const drawn = Array.from({ length: 1000 }, (_, at) => drawAlias(table, 0, 2, at / 1000));
  expect(drawn.filter((slot) => slot === 0)).toHaveLength(250);
});

test("a table within others is left alone, and read from its beginning", () => {
  const table = { probability: new Float32Array(5), alias: new Uint32Array(5) };
  fillAlias([9, 9, 1, 3, 9], 2, 4, table);
  expect([table.probability[0], table.probability[4]]).toEqual([0, 0]);
  const drawn = Array.from({ length: 1000 }, (_, at) => drawAlias(table, 2, 2, at / 1000));
  expect(drawn.filter((slot) => slot === 0)).toHaveLength(250);
});
