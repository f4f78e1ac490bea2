import fc from "fast-check";
import { expect, test } from "vitest";
import type { CategorySpace } from "../config/definition.ts";
import type { Fields } from "../fields.ts";
import { categoryEncoder } from "./category.ts";
import { allZero, dot, segmentOf, unitLength } from "./expectations.ts";

const values = ["Comedy", "Drama", "Horror", "Western"];
const encoderOf = (unknown: NonNullable<CategorySpace<Fields>["unknown"]>) =>
  categoryEncoder("genres", { values, unknown });
const [ignoring, other, rejecting] = [encoderOf("ignore"), encoderOf("other"), encoderOf("reject")];
const name = fc.constantFrom(...values, "Musical", "Noir");
const anyValue = fc.oneof(
  name,
  fc.array(name),
  fc.dictionary(name, fc.oneof(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), fc.constant(0))),
);

test("a segment is of unit length, or all zero where nothing known is in the value", async () => {
  await fc.assert(
    fc.asyncProperty(anyValue, async (value) => {
      for (const encoder of [ignoring, other]) {
        const segment = await segmentOf(encoder, value);
        expect(unitLength(segment) || allZero(segment)).toBe(true);
      }
    }),
  );
});

test("a list is a set: neither order nor repetition count, and its cosine is that of sets", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...values)),
      fc.array(fc.constantFrom(...values)),
      async (a, b) => {
        const [first, second] = [await segmentOf(ignoring, a), await segmentOf(ignoring, b)];
        expect(await segmentOf(ignoring, [...a, ...a.toReversed()])).toEqual(first);
        const [setA, setB] = [new Set(a), new Set(b)];
        const size = Math.sqrt(setA.size * setB.size);
        expect(dot(first, second)).toBeCloseTo(size === 0 ? 0 : setA.intersection(setB).size / size, 6);
        expect(dot(second, first)).toBe(dot(first, second));
      },
    ),
  );
});

test("of the known shares only the proportions count, also of very large ones", async () => {
  expect(await segmentOf(ignoring, { Comedy: 3, Drama: 4, Noir: 1e300 })).toEqual(
    Float32Array.of(0.6, 0.8, 0, 0),
  );
  expect(await segmentOf(ignoring, { Comedy: 3, Drama: 4 })).toEqual(Float32Array.of(0.6, 0.8, 0, 0));
  expect(await segmentOf(ignoring, { Comedy: 3e300, Drama: 4e300, Horror: 0 })).toEqual(
    Float32Array.of(0.6, 0.8, 0, 0),
  );
});

test("unknown categories are ignored, count as one other, or are rejected", async () => {
  expect(allZero(await segmentOf(ignoring, ["Noir", "Musical"]))).toBe(true);
  expect(await segmentOf(ignoring, ["Noir", "Drama"])).toEqual(Float32Array.of(0, 1, 0, 0));
  const half = Math.fround(Math.SQRT1_2);
  expect(await segmentOf(other, ["Noir", "Musical", "Drama"])).toEqual(Float32Array.of(0, half, 0, 0, half));
  expect(await segmentOf(other, { Noir: 1.5, Musical: 1.5, Drama: 4 })).toEqual(
    Float32Array.of(0, 0.8, 0, 0, 0.6),
  );
  const [rejected, accepted] = await rejecting.encode([["Comdey"], { Noir: 0, Drama: 1 }]);
  expect(accepted?.ok).toBe(true);
  expect(rejected).toMatchObject({
    ok: false,
    failure: {
      code: "encoder_failed",
      message: 'space "genres": category "Comdey" is not one of its 4 values',
      mend: expect.stringContaining('did you mean "Comedy"?'),
    },
  });
});

test("a query that names an unknown category is refused, except where other takes it", async () => {
  for (const encoder of [ignoring, rejecting]) {
    await expect(encoder.encodeQuery(["Drama", "Westren"])).rejects.toMatchObject({
      code: "query_invalid",
      message: 'space "genres": category "Westren" is not one of its 4 values',
      mend: expect.stringContaining('did you mean "Western"?'),
    });
  }
  expect(await other.encodeQuery("Westren")).toEqual(Float32Array.of(0, 0, 0, 0, 1));
  expect(await ignoring.encodeQuery({ Comedy: 0.7 })).toEqual(Float32Array.of(1, 0, 0, 0));
  expect(allZero(await ignoring.encodeQuery([]))).toBe(true);
});

test("a query of the wrong form is refused", async () => {
  for (const query of [null, 3, [3], { Comedy: -1 }, { Comedy: "much" }]) {
    await expect(ignoring.encodeQuery(query as never)).rejects.toMatchObject({ code: "query_invalid" });
  }
});
