import { expect, test } from "vitest";
import { pool } from "./pooling.ts";

// Two texts of 1 and 3 tokens, padded to 3, 2 dimensions. 99 stands in the padding.
const values = Float32Array.of(3, 4, 99, 99, 99, 99, 1, 0, 0, 0, 5, 8);
const hidden = { values, lengths: Int32Array.of(1, 3), tokensPadded: 3, dimensions: 2 };

test("the mean is over the text's own tokens, and of unit length", () => {
  const { vectors, failed } = pool(hidden, "mean");
  expect(failed).toEqual([]);
  expect(vectors[0]).toBeCloseTo(0.6);
  expect(vectors[1]).toBeCloseTo(0.8);
  expect(vectors[2]).toBeCloseTo(6 / 10); // Mean (2, 8/3).
  expect(vectors[3]).toBeCloseTo(8 / 10);
});

test("cls takes the first token alone", () => {
  const { vectors } = pool(hidden, "cls");
  expect([...vectors.subarray(2)]).toEqual([1, 0]);
});

test.for([[Number.NaN], [Number.POSITIVE_INFINITY], [0]])(
  "a row of %s fails, its neighbour does not",
  ([bad]) => {
    const rows = {
      values: Float32Array.of(bad as number, bad as number, 0, 2),
      dimensions: 2,
      tokensPadded: 1,
    };
    const { vectors, failed } = pool({ ...rows, lengths: Int32Array.of(1, 1) }, "mean");
    expect(failed).toEqual([0]);
    expect([...vectors]).toEqual([0, 0, 0, 1]);
  },
);
