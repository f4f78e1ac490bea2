import { createHash } from "node:crypto";
import { canonicalJson, segmentHashBytes } from "@medley/core";

/**
 * Equal exactly when the same encoder would be given the same input, so that the stored segment can be copied. `features`:
 * the hashes of the segments that the encoder reads besides.
 */
export function segmentHash(
  encoderIdentity: string,
  input: unknown,
  features: readonly Uint8Array[] = [],
): Uint8Array {
  const hash = createHash("sha256").update(encoderIdentity).update(canonicalJson(input));
  for (const feature of features) hash.update(feature);
  return hash.digest().subarray(0, segmentHashBytes);
}
