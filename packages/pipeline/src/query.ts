import { isTextSpace, MedleyError } from "@medley/core";
import { type CollectionEncoders, spaceIndex } from "./collection-encoders.ts";

/** What a search may say; the same in TypeScript, HTTP and, with encoded parts, SQL. */
export interface SearchQuery {
  /** Per space what to look for: a text, a number or `high`, categories, `{now, halfLifeDays}`, a place, a vector. */
  readonly parts?: Readonly<Record<string, unknown>>;
  /** Per space; the others keep their default. May be 0 or negative. */
  readonly weights?: Readonly<Record<string, number>>;
  /** The id of a row whose segments stand in for the parts not given. */
  readonly like?: string;
  /** The user whose profile stands in for the parts not given; not together with `like`. */
  readonly for?: string;
  /** Leaves out the records that the user of `for` had events with. Default false. */
  readonly excludeSeen?: boolean;
  /** Conditions on typed columns: `{"year": {"gte": 1990}, "genres": {"any": ["Comedy"]}}`. */
  readonly filter?: Readonly<Record<string, unknown>>;
  /** How many hits. Default 10. */
  readonly k?: number;
  /** The share of the best hits that is to be found, 0 to 1; 1 scans exactly. Default .95. */
  readonly recall?: number;
}

/** A query with its parts encoded: what `medley.query` and `medley.search` take. */
export interface Query extends Omit<SearchQuery, "parts"> {
  readonly segments: Readonly<Record<string, readonly number[]>>;
  /** Of the rows that it was encoded for. */
  readonly generation: number;
}

/**
 * Encodes the parts of a query with the collection's own encoders. A list of numbers said to a space of texts is its segment, encoded
 * before, as in SQL. Throws `query_invalid`.
 */
export async function querySegments(
  opened: CollectionEncoders,
  query: SearchQuery,
  signal?: AbortSignal,
): Promise<Query> {
  const { parts = {}, ...rest } = query;
  const encoded = Object.entries(parts).map(async ([name, part]) => {
    const index = spaceIndex(opened, name);
    const space = opened.collection.spaces[index];
    if (Array.isArray(part) && space !== undefined && isTextSpace(space)) return [name, part] as const;
    const segment = await opened.encoders[index]?.encodeQuery(part, signal);
    return [name, Array.from(segment as Float32Array)] as const;
  });
  return { ...rest, generation: opened.generation, segments: Object.fromEntries(await Promise.all(encoded)) };
}

/** More than ever happens: another generation becomes live while a query is encoded for the one before. */
const encodingsMax = 3;

/** Runs a query, and encodes it anew where its rows were replaced by another generation in between. */
export async function encodedAnew<Q, Value>(
  encode: () => Promise<Q>,
  run: (query: Q) => Promise<Value>,
): Promise<Value> {
  for (let encodings = 1; ; encodings++) {
    try {
      return await run(await encode());
    } catch (error) {
      const isGone = error instanceof MedleyError && error.code === "generation_gone";
      if (!isGone || encodings === encodingsMax) throw error;
    }
  }
}
