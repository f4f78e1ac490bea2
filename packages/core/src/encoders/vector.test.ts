import fc from "fast-check";
import { expect, test } from "vitest";
import { dot, segmentOf, unitLength } from "./expectations.ts";
import { vectorEncoder } from "./vector.ts";

const encoder = vectorEncoder("face", 3);
const entry = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }),
  fc.double({ min: -1e30, max: 1e30, noNaN: true }),
);
const vector = fc
  .array(entry, { minLength: 3, maxLength: 3 })
  .filter((entries) => entries.some((x) => Math.abs(x) > 1e-30));

test("a segment is the vector's direction", async () => {
  await fc.assert(
    fc.asyncProperty(vector, async (value) => {
      const segment = await segmentOf(encoder, value);
      expect(unitLength(segment)).toBe(true);
      const length = Math.hypot(...value);
      expect(
        dot(
          segment,
          Float32Array.from(value, (x) => x / length),
        ),
      ).toBeCloseTo(1, 5);
      expect(await encoder.encodeQuery(value)).toEqual(segment);
    }),
  );
});

test("a vector of length 0 has no direction", async () => {
  const [result] = await encoder.encode([[0, 0, 1e-60]]);
  expect(result).toMatchObject({
    ok: false,
    failure: {
      code: "encoder_failed",
      message: 'space "face": the vector has length 0: it has no direction',
      mend: "leave the field out instead",
    },
  });
});

test("a query of another length, without direction or with an entry that is no number is refused", async () => {
  for (const query of [null, "1,2,3", [1, 2], [1, 2, 3, 4], [0, 0, 0], [1, 2, Number.NaN], [1, 2, 1e300]]) {
    await expect(encoder.encodeQuery(query as never)).rejects.toMatchObject({ code: "query_invalid" });
  }
});
