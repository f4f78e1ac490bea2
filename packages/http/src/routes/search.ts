import type { Collection } from "@medley/core";
import {
  type CollectionEncoders,
  collectionNamed,
  encodedAnew,
  type Query,
  querySegments,
  saidBefore,
  type Understood,
} from "@medley/pipeline";
import type { FastifyReply, FastifyRequest } from "fastify";
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
  /** How `search` would find its hits, as the store tells it. Throws as `search` does. */
  readonly explain: (collection: string, query: Query) => Promise<unknown>;
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[];
  /** What the sentence of `ask` was taken to mean, before what the search says itself. */
  readonly understood?: Understood;
  /** Encoding and search, without the network. */
  readonly tookMs: number;
}

const bodyBytesMax = 2 ** 20;

interface Asked {
  Params: { name: string };
  Body: Body | undefined;
}

/**
 * `POST /v1/collections/:name/search`: a `SearchQuery`, or a sentence as `ask` beside it, answered with a `SearchAnswer`; `…/explain`: the same, answered with the plan.
 * Both end when the client leaves.
 */
export function searchRoutes(ports: SearchPorts): Routes {
  const encoded = async (request: FastifyRequest<Asked>, signal: AbortSignal) => {
    const opened = collectionNamed(ports.collections, request.params.name);
    const { ask, query } = parseSearchQuery(opened, jsonOf(request.body));
    const understood = ask === null ? null : await ports.understand(opened.collection, ask, signal);
    const whole = understood === null ? query : saidBefore(understood.query, query);
    return { query: await querySegments(opened, whole, signal), understood };
  };
  const run = async <Value>(
    request: FastifyRequest<Asked>,
    signal: AbortSignal,
    ask: (query: Query) => Promise<Value>,
  ) =>
    encodedAnew(
      () => encoded(request, signal),
      async ({ query, understood }) => ({ value: await ask(query), understood }),
    );
  return (app) => {
    const options = {
      config: { scope: "search" },
      bodyLimit: Math.min(bodyBytesMax, app.initialConfig.bodyLimit ?? bodyBytesMax),
    } as const;
    app.post<Asked>(
      "/v1/collections/:name/search",
      options,
      async (request, reply): Promise<SearchAnswer> => {
        const signal = untilGone(reply);
        const startMs = performance.now();
        const { name } = request.params;
        const { value: hits, understood } = await run(request, signal, (query) =>
          ports.search(name, query, signal),
        );
        const tookMs = performance.now() - startMs;
        return { hits, ...(understood === null ? {} : { understood }), tookMs };
      },
    );
    app.post<Asked>("/v1/collections/:name/explain", options, async (request, reply) => {
      const { name } = request.params;
      const { value: plan, understood } = await run(request, untilGone(reply), (query) =>
        ports.explain(name, query),
      );
      return { plan, ...(understood === null ? {} : { understood }) };
    });
  };
}

/** Aborted when the client leaves. */
function untilGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once("close", () => gone.abort());
  return gone.signal;
}
