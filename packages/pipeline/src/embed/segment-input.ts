import { createHash } from "node:crypto";
import {
  canonicalJson,
  type FieldValue,
  type RecordFields,
  type Space,
  segmentHashBytes,
} from "@medley/core";

/** What a space's encoder reads of a record: the field's value, several texts joined by line breaks, or null if missing. */
export function segmentInput(space: Space, fields: RecordFields): FieldValue | null {
  if (space.fields.length === 1) return fields[space.fields[0] as string] ?? null;
  const texts = space.fields.map((field) => fields[field]).filter((value) => typeof value === "string");
  return texts.length === 0 ? null : texts.join("\n");
}

/** Equal exactly when the same encoder would be given the same input, so that the stored segment can be copied. */
export function segmentHash(encoderIdentity: string, input: FieldValue | null): Uint8Array {
  const hash = createHash("sha256").update(encoderIdentity).update(canonicalJson(input)).digest();
  return hash.subarray(0, segmentHashBytes);
}
