import type { Space } from "./collection.ts";
import { isGraphSpace } from "./config/trained-spaces.ts";
import type { NodeInput } from "./encoder.ts";
import type { RecordFields } from "./fields.ts";

/**
 * What a space's encoder reads of a record, in training and in serving: the field's value, several texts joined by line
 * breaks, the id and edges of a node, or null if missing.
 */
export function spaceInput(
  space: Space,
  { id, fields }: { readonly id: string; readonly fields: RecordFields },
): unknown {
  const value = fields[space.fields[0] as string] ?? null;
  if (isGraphSpace(space.definition)) {
    return value === null ? null : ({ id, edges: value as NodeInput["edges"] } satisfies NodeInput);
  }
  if (space.fields.length === 1) return value;
  const texts = space.fields.map((field) => fields[field]).filter((text) => typeof text === "string");
  return texts.length === 0 ? null : texts.join("\n");
}
