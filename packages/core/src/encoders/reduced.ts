import type { EncodeResult, Encoder } from "../encoder.ts";
import { normalize } from "../fuse.ts";
import { identityOf } from "../identity.ts";
import { succeed } from "../result.ts";
import { pureEncoder } from "./pure-encoder.ts";

/** Takes the segments of another encoder. */
export type SegmentEncoder = Encoder<Float32Array, Float32Array>;

/**
 * The segments of `whole`, of records and of searches alike, as `projection` makes them shorter. The identity follows from both: with other
 * axes it is another encoder.
 */
export function reducedEncoder(whole: Encoder, projection: SegmentEncoder): Encoder {
  return {
    dimensions: projection.dimensions,
    identity: identityOf({ encoder: "reduced", whole: whole.identity, projection: projection.identity }),
    usesModel: whole.usesModel || projection.usesModel,
    async encode(values, signal) {
      const segments = await whole.encode(values, signal);
      const encoded = segments.flatMap((segment) => (segment.ok ? [segment.value] : []));
      const reduced = (await projection.encode(encoded, signal)).values();
      return segments.map((segment) => (segment.ok ? (reduced.next().value as EncodeResult) : segment));
    },
    async encodeQuery(query, signal) {
      return projection.encodeQuery(await whole.encodeQuery(query, signal), signal);
    },
  };
}

/** The first `to` dimensions, brought to unit length (Kusupati et al., "Matryoshka representation learning", 2022). */
export function cutEncoder(space: string, to: number): SegmentEncoder {
  const segment = (whole: Float32Array) => succeed(normalize(whole.slice(0, to)));
  const decides = { encoder: "cut", algorithm: 1, to };
  return pureEncoder({ space, dimensions: to, decides, segment, querySegment: segment });
}
