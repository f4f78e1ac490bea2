import {
  type Clock,
  type Collection,
  type HitPlace,
  isTextSpace,
  MedleyError,
  type SearchQuery,
  type Space,
  systemClock,
} from "@medley/core";
import { type CollectionEncoders, spaceIndex } from "./collection-encoders.ts";
import { readCursor } from "./cursor.ts";
import { weighedByClass } from "./query-class.ts";

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
/** Of one search. */
export const hitsMax = 1_000;

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
  const weighed = weighedByClass(opened.collection, query);
  const { parts = {}, after: cursor, k = hitsDefault, weights: _weights, texts: _texts, ...rest } = weighed;
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
  const asked = weighedTexts(opened.collection, weighed);
  return { ...rest, ...asked, k, generation, segments, atMs, ...(end === null ? {} : { after: end.hit }) };
}

/** A search weighs spaces and texts by name alike; the store takes a text's weight with its words. */
function weighedTexts(
  collection: Collection,
  { weights, texts }: SearchQuery,
): Pick<SearchQuery, "weights" | "texts"> {
  const isText = (name: string) => collection.texts.some((text) => text.name === name);
  const ofSpaces = Object.entries(weights ?? {}).filter(([name]) => !isText(name));
  const asked = Object.entries(texts ?? {}).map(([name, said]) => {
    const weight = weights?.[name];
    const named = typeof said === "string" ? { query: said } : said;
    return [name, weight === undefined ? named : { weight, ...named }] as const;
  });
  return {
    ...(weights === undefined ? {} : { weights: Object.fromEntries(ofSpaces) }),
    ...(texts === undefined ? {} : { texts: Object.fromEntries(asked) }),
  };
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
