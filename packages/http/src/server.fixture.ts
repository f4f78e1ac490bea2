import { createHash } from "node:crypto";
import {
  type Backlog,
  type Channel,
  type ChannelPackets,
  type Collection,
  checkConfig,
  closedFormEncoder,
  type Encoder,
  MedleyError,
  type RecordEnvelope,
  VersionClock,
} from "@medley/core";
import {
  type CollectionEncoders,
  collectionEncoders,
  pipelineCounters,
  type Query,
  understand,
} from "@medley/pipeline";
import { onTestFinished } from "vitest";
import {
  type AccessToken,
  collectionsRoutes,
  encodeRoutes,
  type HttpServerOptions,
  healthRoutes,
  metricsRoutes,
  type ReadinessCheck,
  recordsRoutes,
  type Scope,
  type SearchHit,
  searchRoutes,
  startHttpServer,
  statusRoutes,
  usersRoutes,
} from "./index.ts";

const fields = { title: "text", year: "number", genre: "category" };
const spaces = {
  year: { encoder: "number", field: "year", range: [1900, 2100] },
  genre: { encoder: "category", field: "genre", values: ["Comedy", "Drama"] },
};

const texts = { words: { fields: ["title"], language: "english" } };
const profiles = { events: { like: 3, dislike: -2 }, halfLifeDays: 30 };

/** Weights as an assignment learns them, of one class of searches. */
const comedies = { genre: 1.5, year: 0.5 };

export const collections: ReadonlyMap<string, Collection> = new Map(
  checkConfig({
    collections: { films: { fields, spaces, profiles, texts }, streamed: { fields, spaces, version: "lsn" } },
  }).map((collection) => [collection.name, { ...collection, classes: { comedies } }]),
);

function opened(collection: Collection): CollectionEncoders {
  const encoders = collection.spaces.map((space) => closedFormEncoder(space, collection.fields) as Encoder);
  return collectionEncoders(collection, encoders);
}

/** A queue that keeps what it is sent; set `waiting` or `fault` to make it refuse. */
export class TestQueue {
  readonly unit = "packets";
  readonly sent: RecordEnvelope[] = [];
  waiting = 0;
  fault: Error | null = null;
  /** Of the oldest packet; null: not known, as in a log. */
  ageMs: number | null = 0;
  /** Packets it still takes before it fails. */
  takes = Number.POSITIVE_INFINITY;

  async send<C extends Channel>(_channel: C, packet: ChannelPackets[C]): Promise<void> {
    if (this.fault !== null) throw this.fault;
    if (this.takes === 0) throw unavailable;
    this.takes -= 1;
    this.sent.push(...packet.envelopes);
  }
  async oldestAgeMs(): Promise<number | null> {
    return this.ageMs;
  }
  async backlog(): Promise<Backlog> {
    if (this.fault !== null) throw this.fault;
    return { waiting: this.waiting, inFlight: 1 };
  }
}

/** A server on a free port with every route, closed when the test ends. */
export async function openTestServer(
  options: Partial<HttpServerOptions> & {
    checks?: Readonly<Record<string, ReadinessCheck>>;
    search?: (query: Query) => Promise<readonly SearchHit[]>;
    readStatus?: () => Promise<unknown>;
  } = {},
) {
  const queue = new TestQueue();
  const counters = pipelineCounters();
  const queries: Query[] = [];
  const forgotten: string[] = [];
  const encoding = new Map([...collections].map(([name, collection]) => [name, opened(collection)]));
  const { checks = {}, search = async () => [], readStatus = async () => ({ rows: 3 }), ...rest } = options;
  const server = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    tokens: [],
    routes: [
      recordsRoutes({
        collections,
        lanes: { stream: queue, backfill: queue },
        versions: new VersionClock({ nowMs: () => 1 }),
        counters,
        backlogPacketsMax: 5,
      }),
      collectionsRoutes({ collections: encoding }),
      encodeRoutes({ collections: encoding }),
      searchRoutes({
        collections: encoding,
        clock: { nowMs: () => 1 },
        search: async (_collection, query) => {
          queries.push(query);
          return search(query);
        },
        understand: (collection, sentence, signal) => understand(collection, sentence, { ask: null, signal }),
        explain: async (_collection, query) => {
          queries.push(query);
          return { method: "exact" };
        },
      }),
      usersRoutes({ collections, forgetUser: async (_collection, user) => forgotten.push(user) }),
      healthRoutes({ checks }),
      statusRoutes({ readStatus }),
      metricsRoutes({ renderMetrics: async () => "medley_up 1\n" }),
    ],
    ...rest,
  });
  onTestFinished(() => server.close({ graceMs: 0 }));
  const post = async (path: string, body: RequestInit["body"], headers: Record<string, string> = {}) =>
    answerOf(
      await fetch(`${server.url}${path}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
        duplex: "half",
      } as RequestInit),
    );
  const request = async (path: string, init: RequestInit = {}) =>
    answerOf(await fetch(`${server.url}${path}`, init));
  return { server, queue, counters, queries, forgotten, post, request };
}

async function answerOf(response: Response) {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  // biome-ignore lint/suspicious/noExplicitAny: an answer's shape is what the tests look at
  const body: any = isJson ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, body };
}

/** One that may do this much; it is sent as `Bearer <name>`. */
export function tokenOf(
  name: string,
  scopes: readonly Scope[],
  collections: readonly string[] | null = null,
): AccessToken {
  return { name, sha256: createHash("sha256").update(name).digest("hex"), scopes, collections };
}

export const unavailable = new MedleyError("transport_unavailable", "the queue can't be reached");
