import { expect, test } from "vitest";
import { featuresOf } from "./features.ts";
import { daysSince } from "./time2vec-features.ts";

const originMs = Date.parse("2024-01-01T00:00:00Z");
const features = featuresOf({ kind: "time2vec", dimensions: 3, originMs }, new Map());

test.for([
  ["2024-01-01T00:00:00Z", [0, 0]],
  ["2024-01-03T06:00:00Z", [2, 0.25]],
  ["2023-12-31T18:00:00Z", [-1, 0.75]],
] as const)("%s is %j", ([iso, inputs]) => {
  expect(daysSince(originMs, Date.parse(iso))).toEqual(inputs);
  expect(features?.row(Date.parse(iso) as never)).toEqual({ ok: true, value: Float32Array.from(inputs) });
});

test("in single precision a moment is kept to 5 ms, a century away too", () => {
  for (const timeMs of [originMs + 12_345_678_901, originMs - 3_155_760_123_456]) {
    const [days, share] = Float32Array.from(daysSince(originMs, timeMs));
    expect(Math.abs(originMs + ((days as number) + (share as number)) * 86_400_000 - timeMs)).toBeLessThan(5);
  }
});

test("queries are moments", () => {
  expect(features?.queryRow("2024-01-03T06:00:00Z")).toEqual({ ok: true, value: Float32Array.of(2, 0.25) });
  expect(features?.queryRow("soon")).toMatchObject({
    ok: false,
    failure: { message: "the query is no moment" },
  });
  expect(features?.queryRow(null)).toMatchObject({ ok: false });
});

test("an artefact without its origin is damaged", () => {
  expect(() => featuresOf({ kind: "time2vec", dimensions: 3 }, new Map())).toThrow("names no origin");
});
