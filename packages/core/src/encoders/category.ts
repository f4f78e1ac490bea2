import { strict as assert } from "node:assert";
import { suggestion } from "../closest.ts";
import type { CategorySpace } from "../config/definition.ts";
import type { Encoder } from "../encoder.ts";
import type { Fields } from "../fields.ts";
import { normalize } from "../fuse.ts";
import { parseValue } from "../record/parse-value.ts";
import { fail, succeed } from "../result.ts";
import { pureEncoder, type Segment } from "./pure-encoder.ts";

/** One category, a set of them, or shares ≥ 0 by name of which only the proportions count. */
export type CategoryValue = string | readonly string[] | Readonly<Record<string, number>>;

export interface Vocabulary {
  readonly values: readonly string[];
  readonly unknown: "ignore" | "other" | "reject";
  /** Position in `values` by name. */
  readonly positions: ReadonlyMap<string, number>;
}

export function vocabularyOf(definition: Pick<CategorySpace<Fields>, "values" | "unknown">): Vocabulary {
  const values = [...definition.values];
  const positions = new Map(values.map((name, position) => [name, position]));
  assert(values.length > 0 && positions.size === values.length, "a vocabulary lists distinct categories");
  return { values, unknown: definition.unknown ?? "ignore", positions };
}

/** One per category, and with `unknown: "other"` a last one for all that are not listed. */
export function categoryDimensions(vocabulary: Vocabulary): number {
  return vocabulary.values.length + (vocabulary.unknown === "other" ? 1 : 0);
}

/**
 * Shares by category, scaled to unit length. A category or a list is a set: every member has the same share, however
 * often it is named, and the members that are not listed are together one `other`. Shares of such names add up. A share
 * of 0 is as if the name were not there. All zero where nothing known is left.
 */
export function categorySegment(value: CategoryValue, vocabulary: Vocabulary): Segment {
  const counted: { position: number; share: number }[] = [];
  for (const [name, share] of sharesOf(value)) {
    assert(share >= 0 && Number.isFinite(share), "shares are checked before they are encoded");
    if (share === 0) continue;
    const position = vocabulary.positions.get(name);
    if (position !== undefined) counted.push({ position, share });
    else if (vocabulary.unknown === "reject") return fail(unknownProblem(name, vocabulary));
    else if (vocabulary.unknown === "other") counted.push({ position: vocabulary.values.length, share });
  }
  // Only proportions count, so the largest becomes 1: squares of shares may overflow, and single precision round them to 0.
  const shareMax = Math.max(...counted.map(({ share }) => share));
  const segment = new Float64Array(categoryDimensions(vocabulary));
  for (const { position, share } of counted) {
    segment[position] = isShares(value) ? (segment[position] as number) + share / shareMax : 1;
  }
  return succeed(normalize(Float32Array.from(segment)));
}

/**
 * As a record's value, but a name that is not listed is refused, since it is most likely a typo; with
 * `unknown: "other"` it asks for that one. An empty list asks for nothing and gives all zero.
 */
export function categoryQuerySegment(query: CategoryValue, vocabulary: Vocabulary): Segment {
  const type = typeof query === "string" ? "category" : isShares(query) ? "shares" : "categories";
  const checked = parseValue({ name: "query", type }, query, false);
  if (!checked.ok) return fail({ message: `the query ${checked.failure}`, mend: queryForms });
  if (checked.value === null) return fail({ message: "the query is empty", mend: queryForms });
  const strict = vocabulary.unknown === "other" ? vocabulary : { ...vocabulary, unknown: "reject" as const };
  return categorySegment(query, strict);
}

const queryForms = 'give a category, a list of categories, or shares like {"Comedy": 0.7}';

export function categoryEncoder(
  space: string,
  definition: Pick<CategorySpace<Fields>, "values" | "unknown">,
): Encoder<CategoryValue, CategoryValue> {
  const vocabulary = vocabularyOf(definition);
  return pureEncoder({
    space,
    dimensions: categoryDimensions(vocabulary),
    // `ignore` and `reject` give every value that both encode the same vector, so only `other` counts.
    decides: {
      encoder: "category",
      algorithm: 1,
      values: vocabulary.values,
      other: vocabulary.unknown === "other",
    },
    segment: (value: CategoryValue) => categorySegment(value, vocabulary),
    querySegment: (query: CategoryValue) => categoryQuerySegment(query, vocabulary),
  });
}

function unknownProblem(name: string, { values }: Vocabulary) {
  return {
    message: `category ${JSON.stringify(name)} is not one of its ${values.length} values`,
    mend: `${suggestion(name, values)} (or add it to the space's values, or set unknown: "other")`,
  };
}

function sharesOf(value: CategoryValue): readonly (readonly [string, number])[] {
  if (typeof value === "string") return [[value, 1]];
  return isShares(value) ? Object.entries(value) : value.map((name) => [name, 1] as const);
}

function isShares(value: CategoryValue): value is Readonly<Record<string, number>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
