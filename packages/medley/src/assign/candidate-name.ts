import type { SpaceDefinition } from "@medley/core";

/** What a definition says beyond its encoder and field, in a few words; lists (the values of a category) are left out. */
function detailsOf({ encoder, field, weight, ...rest }: SpaceDefinition): string[] {
  const flat = Object.entries(rest).flatMap(([key, value]): [string, unknown][] =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.entries(value).map(([inner, one]) => [`${key} ${inner}`, one])
      : [[key, value]],
  );
  return flat
    .filter(([, value]) => !Array.isArray(value) || value.length <= 2)
    .map(([key, value]) => (key === "model" ? String(value) : `${key} ${String(value)}`));
}

/**
 * What the candidates of a space are called in reports, each by another name: `words, dimensions 128`. A field is named where they
 * differ in it, a number where nothing else tells two apart.
 */
export function candidateNames(definitions: readonly SpaceDefinition[]): readonly string[] {
  const fieldOf = ({ field }: SpaceDefinition) => [field].flat().join(" and ");
  const isOneField = new Set(definitions.map(fieldOf)).size === 1;
  const names = definitions.map((definition) =>
    [
      isOneField ? definition.encoder : `${definition.encoder} of ${fieldOf(definition)}`,
      ...detailsOf(definition),
    ].join(", "),
  );
  return names.map((name, at) => {
    const before = names.slice(0, at).filter((other) => other === name).length;
    return before === 0 ? name : `${name} (${before + 1})`;
  });
}
