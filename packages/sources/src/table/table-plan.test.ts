import fc from "fast-check";
import { expect, test } from "vitest";
import { idOfKey } from "./table-plan.ts";

test("one part of a key is the id as it is; several are joined, and no two keys of a length have the same id", () => {
  expect(idOfKey(["a:b%"])).toBe("a:b%");
  expect(idOfKey(["a:b", "50%", "3"])).toBe("a%3Ab:50%25:3");
  const part = fc.string({ unit: fc.constantFrom(":", "%", "3", "A", "a", "2", "5"), maxLength: 6 });
  const key = fc.tuple(part, part, part);
  fc.assert(
    fc.property(key, key, (one, other) => {
      const isSame = one.every((text, at) => text === other[at]);
      expect(idOfKey(one) === idOfKey(other)).toBe(isSame);
    }),
    { numRuns: 2_000 },
  );
});
