import { createHash } from "node:crypto";
import {
  canonicalJson,
  isGraphSpace,
  type NodeInput,
  type RecordEnvelope,
  type Space,
  segmentHashBytes,
} from "@medley/core";

/**
 * What a space's encoder reads of a record: the field's value, several texts joined by line breaks, the id and edges of a
 * node, or null if missing.
 */
export function segmentInput(space: Space, { id, fields }: Pick<RecordEnvelope, "id" | "fields">): unknown {
  const value = fields[space.fields[0] as string] ?? null;
  if (isGraphSpace(space.definition)) {
    return value === null ? null : ({ id, edges: value as NodeInput["edges"] } satisfies NodeInput);
  }
  if (space.fields.length === 1) return value;
  const texts = space.fields.map((field) => fields[field]).filter((text) => typeof text === "string");
  return texts.length === 0 ? null : texts.join("\n");
}

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
