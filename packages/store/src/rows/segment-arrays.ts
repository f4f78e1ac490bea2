import type { StoredSegments, Version } from "@medley/core";
import { bytesCodec, codedArray, elementOids, halfvecCodec, int8Codec, textCodec } from "./binary-array.ts";
import type { VectorTypes } from "./columns.ts";

/** Parameters of a statement that writes segments, an entry per row; `segments`: null where the row gets none. */
export function segmentArrays(
  rows: readonly { readonly id: string; readonly version: Version }[],
  segments: readonly (Pick<StoredSegments, "vector" | "segmentHashes"> | null)[],
  { halfvecOid }: VectorTypes,
): Readonly<Record<"ids" | "versions" | "hashes" | "vectors", Buffer>> {
  const ids = rows.map(({ id }) => id);
  const versions = rows.map(({ version }) => version);
  const hashes = segments.map((one) => one?.segmentHashes ?? null);
  const vectors = segments.map((one) => one?.vector ?? null);
  return {
    ids: codedArray(elementOids.text, ids, textCodec),
    versions: codedArray(elementOids.int8, versions, int8Codec),
    hashes: codedArray(elementOids.bytea, hashes, bytesCodec),
    vectors: codedArray(halfvecOid, vectors, halfvecCodec),
  };
}
