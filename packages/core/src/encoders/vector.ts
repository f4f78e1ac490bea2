import { strict as assert } from "node:assert";
import type { Encoder } from "../encoder.ts";
import { normalize } from "../fuse.ts";
import { parseValue } from "../record/parse-value.ts";
import { fail, succeed } from "../result.ts";
import { pureEncoder, type Segment } from "./pure-encoder.ts";

/** The user's own vector, scaled to unit length: the cosine of two is their cosine as given. */
export function vectorSegment(value: readonly number[], dimensions: number): Segment {
  assert.equal(value.length, dimensions, "vectors are checked before they are encoded");
  const segment = normalize(Float32Array.from(value));
  if (segment.every((x) => x === 0))
    return fail({
      message: "the vector has length 0: it has no direction",
      mend: "leave the field out instead",
    });
  return succeed(segment);
}

/** A query vector, made by the same model as the records' vectors. */
export function vectorQuerySegment(query: readonly number[], dimensions: number): Segment {
  const checked = parseValue({ name: "query", type: `vector(${dimensions})` }, query, false);
  if (checked.ok && checked.value !== null) return vectorSegment(query, dimensions);
  const message = checked.ok ? "the query is empty" : `the query ${checked.failure}`;
  return fail({ message, mend: `give a list of ${dimensions} numbers` });
}

export function vectorEncoder(
  space: string,
  dimensions: number,
): Encoder<readonly number[], readonly number[]> {
  return pureEncoder({
    space,
    dimensions,
    decides: { encoder: "vector", algorithm: 1, dimensions },
    segment: (value: readonly number[]) => vectorSegment(value, dimensions),
    querySegment: (query: readonly number[]) => vectorQuerySegment(query, dimensions),
  });
}
