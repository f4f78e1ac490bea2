import { strict as assert } from "node:assert";

/** Segments end to end, unweighted: a weight belongs to a query, so it can change without a re-index. */
export function fuse(segments: readonly Float32Array[]): Float32Array {
  const fused = new Float32Array(segments.reduce((sum, segment) => sum + segment.length, 0));
  let offset = 0;
  for (const segment of segments) {
    fused.set(segment, offset);
    offset += segment.length;
  }
  return fused;
}

/** Segments end to end, each times its weight: the query whose inner product with a fused vector is the score. */
export function weigh(segments: readonly Float32Array[], weights: readonly number[]): Float32Array {
  assert.equal(segments.length, weights.length);
  return fuse(segments.map((segment, index) => segment.map((x) => x * (weights[index] as number))));
}

/** Scales to unit length in place; all zero stays all zero. Throws on NaN and Infinity: no encoder may give them. */
export function normalize(segment: Float32Array): Float32Array {
  let squared = 0;
  for (const x of segment) squared += x * x;
  assert(Number.isFinite(squared), "segment holds NaN or Infinity");
  if (squared === 0) return segment;
  const scale = 1 / Math.sqrt(squared);
  for (let i = 0; i < segment.length; i++) segment[i] = (segment[i] as number) * scale;
  return segment;
}
