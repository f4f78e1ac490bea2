import type { SearchHit } from "@medley/client";

const textCharsMax = 500;
const itemsMax = 20;
const answerCharsMax = 60_000;

/** Hits, best first, with their long values cut; of what is too much together the last are left out, and counted. */
export function shortHits(hits: readonly SearchHit[]): { hits: readonly SearchHit[]; leftOut: number } {
  const shown: SearchHit[] = [];
  let chars = 0;
  for (const hit of hits) {
    const short = { ...hit, fields: shortValue(hit.fields) as SearchHit["fields"] };
    chars += JSON.stringify(short).length;
    if (chars > answerCharsMax) break;
    shown.push(short);
  }
  return { hits: shown, leftOut: hits.length - shown.length };
}

/** Texts end in …, lists and objects in how many more there are. */
export function shortValue(value: unknown): unknown {
  if (typeof value === "string") {
    return value.length <= textCharsMax ? value : `${value.slice(0, textCharsMax - 1)}…`;
  }
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const shown: unknown[] = value.slice(0, itemsMax).map(shortValue);
    return value.length <= itemsMax ? shown : [...shown, `… ${value.length - itemsMax} more`];
  }
  const entries = Object.entries(value);
  const shown = entries.slice(0, itemsMax).map(([key, inner]) => [key, shortValue(inner)]);
  return Object.fromEntries(
    entries.length <= itemsMax ? shown : [...shown, ["…", `${entries.length - itemsMax} more`]],
  );
}
