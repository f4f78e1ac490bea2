import { succeed } from "@medley/core";
import type { Features } from "./features.ts";

/** A segment of another encoder is its own row; one that is all zero says nothing. */
export function projectionFeatures(): Features<Float32Array> {
  const row = (segment: Float32Array) =>
    succeed(segment.some((x) => x !== 0) ? segment : new Float32Array(0));
  // A search's segment comes from that encoder too, which has checked what the search says.
  return { row, queryRow: (query) => row(query as Float32Array) };
}
