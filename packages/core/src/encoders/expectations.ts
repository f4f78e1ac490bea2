import { strict as assert } from "node:assert";
import type { Encoder } from "../encoder.ts";

/** What the tests of all closed-form encoders ask of segments. */
export function dot(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
}

export function unitLength(segment: Float32Array): boolean {
  return Math.abs(Math.sqrt(dot(segment, segment)) - 1) < 1e-6;
}

export function allZero(segment: Float32Array): boolean {
  return segment.every((x) => x === 0);
}

export async function segmentOf<Value, Query>(
  encoder: Encoder<Value, Query>,
  value: Value,
): Promise<Float32Array> {
  const [result] = await encoder.encode([value]);
  assert(result?.ok, "the value has a segment");
  assert.equal(result.value.length, encoder.dimensions);
  return result.value;
}
