import { type Clock, isTextSpace, MedleyError, type Space, systemClock } from "@medley/core";
import { type CollectionEncoders, spaceIndex } from "./collection-encoders.ts";
import { type HitPlace, readCursor } from "./cursor.ts";
import { weighedByClass } from "./query-class.ts";

/** What a search may say; the same in TypeScript, HTTP and, with encoded parts, SQL. */
export interface SearchQuery {
  /** Per space what to look for: a text, a number or `high`, categories, `{now, halfLifeDays}`, a place, a vector. */
  readonly parts?: Readonly<Record<string, unknown>>;
  /** Per space; the others keep their default. May be 0 or negative. */
  readonly weights?: Readonly<Record<string, number>>;
  /** What kind of search it is: spaces that `weights` does not name weigh what `medley assign` has learned for it. */
  readonly class?: string;
  /** Ids of rows whose segments stand in for the parts not given; of several their mean. With `unlike` at most 100. */
  readonly like?: string | readonly string[];
  /** Ids of rows that hits should differ from in the parts not given: a third of their mean is taken from that of `like`. */
  readonly unlike?: string | readonly string[];
  /** The user whose profile stands in for the parts not given; not together with `like` or `unlike`. */
  readonly for?: string;
  /** Leaves out the records that the user of `for` had events with. Default false. */
  readonly excludeSeen?: boolean;
  /** Conditions on typed columns: `{"year": {"gte": 1990}, "genres": {"any": ["Comedy"]}}`. */
  readonly filter?: Readonly<Record<string, unknown>>;
  /** How many hits. Default 10. */
  readonly k?: number;
  /** The share of the best hits that is to be found, 0 to 1; 1 scans exactly. Default .95. */
  readonly recall?: number;
  /** No hit has a lower score. */
  readonly scoreMin?: number;
  /** 0 to 1: the higher, the more hits differ from each other. Of at most 100 hits. */
  readonly diversity?: number;
  /** At most `max` hits of each value of a category field. */
  readonly perGroup?: { readonly field: string; readonly max: number };
  /** The cursor of an answer to the same search: the hits behind its last one. Not together with `diversity` or `perGroup`. */
  readonly after?: string;
}

/** A query with its parts encoded: what `medley.query` and `medley.search` take. */
export interface Query extends Omit<SearchQuery, "parts" | "class" | "after"> {
  readonly segments: Readonly<Record<string, readonly number[]>>;
  /** Of the rows that it was encoded for. */
  readonly generation: number;
  readonly k: number;
  readonly after?: HitPlace;
  /** What *now* is for recency: when the first page was asked for. */
  readonly atMs: number;
}

export const hitsDefault = 10;

export interface QueryOptions {
  readonly clock?: Clock;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Encodes the parts of a query with the collection's own encoders. A list of numbers said to a space of texts is its segment, encoded
 * before, as in SQL. Throws `query_invalid`.
 */
export async function querySegments(
  opened: CollectionEncoders,
  query: SearchQuery,
  { clock = systemClock, signal }: QueryOptions = {},
): Promise<Query> {
  const { parts = {}, after: cursor, k = hitsDefault, ...rest } = weighedByClass(opened.collection, query);
  const end = cursor === undefined ? null : readCursor(opened, query, cursor);
  const atMs = end?.atMs ?? clock.nowMs();
  const encoded = Object.entries(parts).map(async ([name, part]) => {
    const index = spaceIndex(opened, name);
    const space = opened.collection.spaces[index] as Space;
    if (Array.isArray(part) && isTextSpace(space)) return [name, part] as const;
    const segment = await opened.encoders[index]?.encodeQuery(timedPart(space, part, atMs), signal);
    return [name, Array.from(segment as Float32Array)] as const;
  });
  const segments = Object.fromEntries(await Promise.all(encoded));
  const { generation } = opened;
  return { ...rest, k, generation, segments, atMs, ...(end === null ? {} : { after: end.hit }) };
}

/** A recency that names no time of its own means `atMs`. */
function timedPart({ definition }: Space, part: unknown, atMs: number): unknown {
  const isNamed = typeof part === "object" && part !== null && !Array.isArray(part);
  if (definition.encoder !== "recency" || !isNamed) return part;
  return { ...part, now: (part as { now?: unknown }).now ?? atMs };
}

/** More than ever happens: another generation becomes live while a query is encoded for the one before. */
const answersMax = 3;

/** Answers a search, and once more, from the encoding on, where its rows were replaced by another generation in between. */
export async function encodedAnew<Value>(answer: () => Promise<Value>): Promise<Value> {
  for (let answers = 1; ; answers++) {
    try {
      return await answer();
    } catch (error) {
      const isGone = error instanceof MedleyError && error.code === "generation_gone";
      if (!isGone || answers === answersMax) throw error;
    }
  }
}
