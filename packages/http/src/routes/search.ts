import type { Collection } from "@medley/core";
import {
  type CollectionEncoders,
  collectionNamed,
  type Query,
  querySegments,
  saidBefore,
  type Understood,
} from "@medley/pipeline";
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
  /** A sentence as a query. Throws `query_invalid`. */
  readonly understand: (collection: Collection, sentence: string, signal: AbortSignal) => Promise<Understood>;
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  /** What the sentence of `ask` was taken to mean, before what the search says itself. */
  readonly understood?: Understood;
  /** Encoding and search, without the network. */
  readonly tookMs: number;
}

const bodyBytesMax = 2 ** 20;

/** `POST /v1/collections/:name/search`: a `SearchQuery`, or a sentence as `ask` beside it, answered with a `SearchAnswer`. Ends when the client leaves. */
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
        const { ask, query } = parseSearchQuery(opened, jsonOf(request.body));
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const startMs = performance.now();
        const understood = ask === null ? null : await ports.understand(opened.collection, ask, gone.signal);
        const whole = understood === null ? query : saidBefore(understood.query, query);
        const encoded = await querySegments(opened, whole, gone.signal);
        const hits = await ports.search(name, encoded, gone.signal);
        const tookMs = performance.now() - startMs;
        return { hits, ...(understood === null ? {} : { understood }), tookMs };
      },
    );
  };
}
