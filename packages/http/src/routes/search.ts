import { type CollectionEncoders, collectionNamed, type Query, querySegments } from "@medley/pipeline";
import { type Body, jsonOf } from "../body/body.ts";
import type { Routes } from "../server.ts";
import { parseSearchQuery } from "./search-query.ts";

export interface SearchHit {
  readonly id: string;
  readonly score: number;
  /** The score's share by space: they add up to it. */
  readonly contributions: Readonly<Record<string, number>>;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Runs an encoded query on a collection's table, best hit first. Throws `query_invalid`, `not_found`, `store_unavailable`. */
export type Search = (
  collection: string,
  query: Query,
  signal?: AbortSignal,
) => Promise<readonly SearchHit[]>;

export interface SearchPorts {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly search: Search;
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  /** Encoding and search, without the network. */
  readonly tookMs: number;
}

const bodyBytesMax = 2 ** 20;

/** `POST /v1/collections/:name/search`: a `SearchQuery`, answered with a `SearchAnswer`. Ends when the client leaves. */
export function searchRoutes(ports: SearchPorts): Routes {
  return (app) => {
    app.post<{ Params: { name: string }; Body: Body | undefined }>(
      "/v1/collections/:name/search",
      {
        config: { scope: "search" },
        bodyLimit: Math.min(bodyBytesMax, app.initialConfig.bodyLimit ?? bodyBytesMax),
      },
      async (request, reply): Promise<SearchAnswer> => {
        const { name } = request.params;
        const opened = collectionNamed(ports.collections, name);
        const query = parseSearchQuery(opened, jsonOf(request.body));
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const startMs = performance.now();
        const encoded = await querySegments(opened, query, gone.signal);
        const hits = await ports.search(name, encoded, gone.signal);
        return { hits, tookMs: performance.now() - startMs };
      },
    );
  };
}
