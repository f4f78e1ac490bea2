import { expect, test } from "vitest";
import { bucketOf, categoriesFile, entityRows } from "./entity-features.ts";
import { featuresOf } from "./features.ts";

const files = new Map([[categoriesFile, new TextEncoder().encode('["red","green"]')]]);
const features = featuresOf({ kind: "entity", dimensions: 2, buckets: 8 }, files);

// Fowler, Noll and Vo give: 32 bit FNV-1a of "" is 811c9dc5, of "a" e40c292c, of "foobar" bf9cf968.
test("buckets are FNV-1a's", () => {
  expect(bucketOf("", 2 ** 16)).toBe(0x9dc5);
  expect(bucketOf("a", 2 ** 16)).toBe(0x292c);
  expect(bucketOf("foobar", 2 ** 16)).toBe(0xf968);
  expect(bucketOf("é", 2 ** 16)).not.toBe(bucketOf("e", 2 ** 16));
});

test("a value's rows are those of its distinct categories; what has none of its own has a bucket", () => {
  expect(features?.row(["green", "red", "green"] as never)).toEqual({
    ok: true,
    value: Float32Array.of(1, 0.5, 0, 0.5),
  });
  expect(features?.row("blue" as never)).toEqual({
    ok: true,
    value: Float32Array.of(2 + bucketOf("blue", 8), 1),
  });
  expect(features?.row([] as never)).toEqual({ ok: true, value: new Float32Array(0) });
  expect(entityRows(["red"], 0)(["red", "blue"])).toEqual([0]);
});

test("queries are categories", () => {
  expect(features?.queryRow("red")).toEqual({ ok: true, value: Float32Array.of(0, 1) });
  expect(features?.queryRow({ red: 1 })).toMatchObject({
    ok: false,
    failure: { message: "the query is no category" },
  });
});

test("an artefact without its number of buckets is damaged", () => {
  for (const buckets of [undefined, -1, 1.5, 1e9]) {
    expect(() => featuresOf({ kind: "entity", dimensions: 2, buckets }, files)).toThrow(
      "no number of buckets",
    );
  }
});
