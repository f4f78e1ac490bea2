import { z } from "zod";
import { suggestion } from "../closest.ts";
import type { Fields } from "../fields.ts";
import type { FieldOf, Weighted } from "./definition.ts";

/** How much a word counts by the field that it stands in, as Postgres' labels do: 1, .4, .2 and .1. */
const wordLabels = ["A", "B", "C", "D"] as const;
export type WordLabel = (typeof wordLabels)[number];

/** The words of some fields, searched by Postgres' full-text search: a term of the score beside the spaces', and no part of the vector. */
export interface FullTextDefinition<F extends Fields> extends Weighted {
  /** A list, in which all count alike, or each with its label: `{ title: "A", plot: "C" }`. */
  fields: readonly WordField<F>[] | { readonly [Name in WordField<F>]?: WordLabel };
  /**
   * How words are brought to their stems and which are left out, by the name of one of Postgres' text search configurations:
   * `english`, `german`; `simple` takes words as they are. One of your own goes with its schema: `public.unaccented`.
   */
  language: string;
}

type WordField<F extends Fields> = FieldOf<F, "text" | "category">;

/** Of a checked configuration. */
export interface FullText {
  readonly name: string;
  readonly fields: readonly { readonly field: string; readonly label: WordLabel }[];
  readonly language: string;
  /** In searches that name none. */
  readonly weight: number;
}

export const fullTextShape = z.strictObject({
  fields: z
    .union([z.array(z.string()).min(1), z.record(z.string(), z.enum(wordLabels))])
    .describe("a list, in which all count alike, or each with its label: A counts 1, B .4, C .2, D .1"),
  language: z
    .string()
    .regex(
      /^([a-z_][a-z0-9_]*\.)?[a-z_][a-z0-9_]*$/,
      "is no name of a text search configuration, like english",
    )
    .max(127)
    .describe("one of Postgres' text search configurations, such as english, german or simple"),
  weight: z.number().optional().describe("weight in searches that name none; may be 0 or negative"),
});

type FullTextShape = z.infer<typeof fullTextShape>;

/** What is wrong with the fields that it names, among those of the collection. */
export function* fullTextProblems(
  { fields }: FullTextShape,
  types: Readonly<Record<string, string>>,
): Generator<string> {
  const names = Array.isArray(fields) ? fields : Object.keys(fields);
  if (names.length === 0) yield "fields: there is none; name at least one of type text or category";
  for (const [at, name] of names.entries()) {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined) yield `fields: "${name}" does not exist; ${suggestion(name, Object.keys(types))}`;
    else if (type !== "text" && type !== "category")
      yield `fields: "${name}" is ${type}; words are read of fields of type text or category`;
    else if (names.indexOf(name) < at) yield `fields: "${name}" is named twice; remove one`;
  }
}

/** Frozen. */
export function fullTextOf(name: string, { fields, language, weight = 1 }: FullTextShape): FullText {
  const labelled = Array.isArray(fields)
    ? fields.map((field) => ({ field, label: "A" as const }))
    : Object.entries(fields).map(([field, label]) => ({ field, label }));
  for (const one of labelled) Object.freeze(one);
  return Object.freeze({ name, fields: Object.freeze(labelled), language, weight });
}
