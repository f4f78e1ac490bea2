import type { HitPlace, SearchQuery } from "@medley/core";
import type { CollectionEncoders } from "./collection-encoders.ts";
import { writeCursor } from "./cursor.ts";
import { type Query, type QueryOptions, querySegments } from "./query.ts";

/** An answer to a search. */
export interface SearchPage<Found> {
  readonly hits: readonly Found[];
  /** For the hits behind the last one, as `after` of the same search. Null: there are none, or the search has no order of its own. */
  readonly cursor: string | null;
}

export interface SearchPageOptions<Found> extends QueryOptions {
  /** Runs an encoded query. */
  readonly search: (query: Query) => Promise<readonly Found[]>;
}

/** Encodes a search, runs it, and says where its next page begins. Throws `query_invalid` and what `search` throws. */
export async function searchPage<Found extends HitPlace>(
  opened: CollectionEncoders,
  query: SearchQuery,
  { search, ...options }: SearchPageOptions<Found>,
): Promise<SearchPage<Found>> {
  const encoded = await querySegments(opened, query, options);
  const hits = await search(encoded);
  const last = hits.at(-1);
  // Which hits diversity and groups leave out depends on all before.
  const isPaged = query.diversity === undefined && query.perGroup === undefined;
  if (last === undefined || hits.length < encoded.k || !isPaged) return { hits, cursor: null };
  return { hits, cursor: writeCursor(opened, query, { hit: last, atMs: encoded.atMs }) };
}
