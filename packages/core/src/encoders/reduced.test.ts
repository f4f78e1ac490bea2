import { expect, test } from "vitest";
import type { Encoder } from "../encoder.ts";
import { succeed } from "../result.ts";
import { cutEncoder, reducedEncoder } from "./reduced.ts";
import { vectorEncoder } from "./vector.ts";

const whole = vectorEncoder("face", 4) as Encoder;

test("records and searches alike are cut to their first dimensions, and of unit length", async () => {
  const encoder = reducedEncoder(whole, cutEncoder("face", 2));
  expect(encoder.dimensions).toBe(2);
  const [record] = await encoder.encode([[3, 4, 12, 0]]);
  expect(record).toMatchObject({ ok: true });
  const expected = [expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)];
  expect([...(record?.ok ? record.value : [])]).toEqual(expected);
  expect([...(await encoder.encodeQuery([3, 4, 12, 0]))]).toEqual(expected);
});

test("what is all zero in its first dimensions stays so, and a failure stays with its value", async () => {
  const encoder = reducedEncoder(whole, cutEncoder("face", 2));
  const results = await encoder.encode([
    [0, 0, 5, 0],
    [0, 0, 0, 0],
    [1, 0, 0, 0],
  ]);
  expect(results).toMatchObject([
    { ok: true, value: new Float32Array(2) },
    { ok: false, failure: { code: "encoder_failed" } },
    { ok: true, value: Float32Array.of(1, 0) },
  ]);
});

test("the identity changes with the projection, and with the encoder below", () => {
  const swapped = {
    ...cutEncoder("face", 2),
    identity: "other axes",
    encode: async () => [succeed(new Float32Array(2))],
  };
  const identities = [
    reducedEncoder(whole, cutEncoder("face", 2)),
    reducedEncoder(whole, cutEncoder("face", 3)),
    reducedEncoder(whole, swapped),
    reducedEncoder(vectorEncoder("face", 5) as Encoder, cutEncoder("face", 2)),
    whole,
  ].map(({ identity }) => identity);
  expect(new Set(identities).size).toBe(5);
  expect(reducedEncoder(whole, cutEncoder("other", 2)).identity).toBe(identities[0]);
});
