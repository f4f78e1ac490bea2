import { isObject, type MessagePath } from "@medley/core";
import { schemaWithin, type WithSchema } from "./connect-schema.ts";

/** Where a path begins, by its first part; a path without `$` begins at `record`. */
export interface PathRoots {
  readonly record: WithSchema;
  readonly $key: WithSchema;
  readonly $header: WithSchema;
  readonly $message: WithSchema;
  readonly $event: WithSchema;
  readonly $source: WithSchema;
}

/** What is at a path, with its schema; the value is undefined where there is nothing. */
export function valueAt(roots: PathRoots, path: MessagePath): WithSchema {
  const parts = path.split(".");
  const root = parts[0] as string;
  return root.startsWith("$") && Object.hasOwn(roots, root)
    ? follow(roots[root as keyof PathRoots], parts.slice(1))
    : follow(roots.record, parts);
}

const nothing: WithSchema = { value: undefined, schema: null };

function follow(from: WithSchema, parts: readonly string[]): WithSchema {
  let at = from;
  for (const [index, part] of parts.entries()) {
    const { value, schema } = at;
    if (Array.isArray(value)) {
      if (part === "*") return followEach(at, value, parts.slice(index + 1));
      if (!/^\d+$/.test(part)) return nothing;
      at = { value: value[Number(part)], schema: schemaWithin(schema, part) };
      continue;
    }
    if (!isObject(value)) return nothing;
    // A key may have dots itself.
    const rest = parts.slice(index).join(".");
    if (Object.hasOwn(value, rest)) return { value: value[rest], schema: schemaWithin(schema, rest) };
    if (!Object.hasOwn(value, part)) return nothing;
    at = { value: value[part], schema: schemaWithin(schema, part) };
  }
  return at;
}

/** What the entries have; those that have nothing there are left out. */
function followEach(
  { schema }: WithSchema,
  entries: readonly unknown[],
  parts: readonly string[],
): WithSchema {
  const found = entries
    .map((value) => follow({ value, schema: schemaWithin(schema, "*") }, parts).value)
    .filter((value) => value !== undefined && value !== null);
  return { value: found, schema: null };
}
