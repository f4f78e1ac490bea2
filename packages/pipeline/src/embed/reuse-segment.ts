import { type SegmentLayout, type StoredSegments, segmentHashBytes } from "@medley/core";

/** Copies a stored row's segment into `vector` where it was made of what `hash` says; says whether it was. */
export function reuseSegment(
  row: StoredSegments | undefined,
  hash: Uint8Array,
  { offset, dimensions, index }: Pick<SegmentLayout, "offset" | "dimensions"> & { readonly index: number },
  vector: Float16Array,
): boolean {
  if (row === undefined || row.deleted) return false;
  const hashOffset = index * segmentHashBytes;
  const stored = row.segmentHashes.subarray(hashOffset, hashOffset + segmentHashBytes);
  if (Buffer.compare(hash, stored) !== 0) return false;
  vector.set(row.vector.subarray(offset, offset + dimensions), offset);
  return true;
}
