import type { Clock, Collection, ErrorCode, HitPlace, MedleyError, SearchQuery } from "@medley/core";
import {
  type CollectionEncoders,
  collectionNamed,
  encodedAnew,
  inBatch,
  type Query,
  querySegments,
  type SearchPage,
  saidBefore,
  searchPage,
  type Understood,
} from "@medley/pipeline";
import type { FastifyReply } from "fastify";
import { type Body, jsonOf } from "../body/body.ts";
import type { Routes } from "../server.ts";
import { parseBatchedQuery, parseSearchBatch, parseSearchQuery } from "./search-query.ts";

export interface SearchHit extends HitPlace {
  /** The score's share by space and text: they add up to it. */
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
  readonly clock: Clock;
}

export interface SearchAnswer extends SearchPage<SearchHit> {
  /** What the sentence of `ask` was taken to mean, before what the search says itself. */
  readonly understood?: Understood;
  /** Encoding and search, without the network. */
  readonly tookMs: number;
}

/** Of one search of many. */
export interface SearchFailure {
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly mend?: string };
}

export interface SearchBatchAnswer {
  /** One per search, in order. */
  readonly results: readonly (SearchPage<SearchHit> | SearchFailure)[];
  readonly tookMs: number;
}

const bodyBytesMax = 2 ** 20;
const batchBytesMax = 2 ** 23;

interface Asked {
  Params: { name: string };
  Body: Body | undefined;
}

/**
 * `POST /v1/collections/:name/search`: a `SearchQuery`, or a sentence as `ask` beside it, answered with a `SearchAnswer`; `…/explain`: the same,
 * answered with the plan; `…/searches`: `{searches: [...]}`, at most 100, answered with a `SearchBatchAnswer`. All end when the client leaves.
 */
export function searchRoutes(ports: SearchPorts): Routes {
  return (app) => {
    const optionsOf = (bytesMax: number) =>
      ({
        config: { scope: "search" },
        bodyLimit: Math.min(bytesMax, app.initialConfig.bodyLimit ?? bytesMax),
      }) as const;
    app.post<Asked>("/v1/collections/:name/search", optionsOf(bodyBytesMax), async (request, reply) => {
      const startMs = performance.now();
      const signal = untilGone(reply);
      const answer = await encodedAnew(async () => {
        const asking = openAsking(ports, request.params.name, signal);
        const { query, ...more } = await understoodOf(asking, jsonOf(request.body));
        return { ...(await searchPage(asking.opened, query, asking)), ...more };
      });
      return { ...answer, tookMs: performance.now() - startMs } satisfies SearchAnswer;
    });
    app.post<Asked>("/v1/collections/:name/explain", optionsOf(bodyBytesMax), async (request, reply) => {
      const signal = untilGone(reply);
      return encodedAnew(async () => {
        const asking = openAsking(ports, request.params.name, signal);
        const { query, ...more } = await understoodOf(asking, jsonOf(request.body));
        const encoded = await querySegments(asking.opened, query, asking);
        return { plan: await ports.explain(request.params.name, encoded), ...more };
      });
    });
    app.post<Asked>("/v1/collections/:name/searches", optionsOf(batchBytesMax), async (request, reply) => {
      const startMs = performance.now();
      const asking = openAsking(ports, request.params.name, untilGone(reply));
      const searches = parseSearchBatch(jsonOf(request.body));
      const answers = await inBatch(searches, asking.search, (one, search) =>
        encodedAnew(async () => {
          const { opened, ...options } = openAsking(ports, request.params.name, asking.signal);
          return searchPage(opened, parseBatchedQuery(opened, one), { ...options, search });
        }),
      );
      const results = answers.map((one): SearchPage<SearchHit> | SearchFailure => {
        return one.ok ? one.value : searchFailureOf(one.failure);
      });
      return { results, tookMs: performance.now() - startMs } satisfies SearchBatchAnswer;
    });
  };
}

export function searchFailureOf({ code, message, mend }: MedleyError): SearchFailure {
  return { error: { code, message, ...(mend === undefined ? {} : { mend }) } };
}

/** Searches of one collection for one client. */
interface Asking extends Pick<SearchPorts, "understand" | "clock"> {
  readonly opened: CollectionEncoders;
  readonly search: (query: Query) => Promise<readonly SearchHit[]>;
  readonly signal: AbortSignal;
}

/** By the encoders that serve now. */
function openAsking(ports: SearchPorts, name: string, signal: AbortSignal): Asking {
  const opened = collectionNamed(ports.collections, name);
  const { understand, clock } = ports;
  return { opened, understand, clock, signal, search: (query) => ports.search(name, query, signal) };
}

async function understoodOf(
  { opened, understand, signal }: Asking,
  input: unknown,
): Promise<{ query: SearchQuery; understood?: Understood }> {
  const { ask, query } = parseSearchQuery(opened, input);
  if (ask === null) return { query };
  const understood = await understand(opened.collection, ask, signal);
  return { query: saidBefore(understood.query, query), understood };
}

/** Aborted when the client leaves. */
function untilGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  raw.once("close", () => gone.abort());
  return gone.signal;
}
