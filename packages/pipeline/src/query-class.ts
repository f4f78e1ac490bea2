import { type Collection, MedleyError, type SearchQuery, suggestion } from "@medley/core";

/**
 * The search with the weights that its class has learned, but for those that it names itself. Throws `query_invalid` for a class that the collection does not
 * know.
 */
export function weighedByClass(
  { name, classes, weights }: Collection,
  { class: asked, ...query }: SearchQuery,
): Omit<SearchQuery, "class"> {
  if (asked === undefined) return query;
  if (!Object.hasOwn(classes, asked)) {
    const known = Object.keys(classes);
    const mend =
      known.length === 0
        ? "leave it out: `medley assign` has learned no weights of classes for it (docs/ASSIGNMENT.md)"
        : suggestion(asked, known);
    throw new MedleyError("query_invalid", `collection ${name} has no class "${asked}" of searches`, {
      mend,
    });
  }
  // Another generation of rows may have other spaces.
  const learned = Object.entries(classes[asked] ?? {}).filter(([space]) => Object.hasOwn(weights, space));
  return { ...query, weights: { ...Object.fromEntries(learned), ...query.weights } };
}
