import { strict as assert } from "node:assert";
import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { MedleyError } from "@medley/core";
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from "fastify";
import { type AccessToken, accessCheck, checkClosed, type Scope } from "./access.ts";
import { parseBodies } from "./body/body.ts";
import { BodyBudget } from "./body/body-budget.ts";
import { replyError, replyNotFound } from "./error-reply.ts";
import { RequestCounters } from "./request-counters.ts";

/** Adds some of the interface to an application. */
export type Routes = (app: FastifyInstance) => void;

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** One of them is asked of every request but probes. None is allowed on loopback only. */
  readonly tokens: readonly AccessToken[];
  readonly routes: readonly Routes[];
  /** pino. Told of failures: error code and request id, never a body or a path. */
  readonly logger?: FastifyBaseLogger;
  /** Of one request. */
  readonly bodyBytesMax?: number;
  /** Of all requests in hand together. */
  readonly bodiesBytesMax?: number;
  /** Where answered requests are counted. Default: nowhere else. */
  readonly counters?: RequestCounters;
}

export interface Route {
  readonly method: string;
  /** As the router has it: `/v1/collections/:name/records`. */
  readonly url: string;
  readonly scope: Scope | "open";
}

/** States: serving -> draining (`drain`) -> closed (`close`), which may also come at once. */
export interface HttpServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly port: number;
  readonly routes: readonly Route[];
  /** From now on records and searches are refused with `draining`; what is in hand goes on, probes and metrics are answered. */
  drain(): void;
  /** Takes nothing new, waits for requests in hand; those not done after `graceMs` are cut off. */
  close(options: { graceMs: number }): Promise<void>;
}

const requestMsMax = 120_000;
const mebibyte = 2 ** 20;
// An id has 512 bytes, each three characters when percent-encoded; longer ones are refused by their length in bytes.
const pathPartCharsMax = 4_096;

/**
 * Listens. Closed by default: throws `usage` for a host beyond loopback without tokens, and `port_taken` with the port.
 * Bounds: `bodyBytesMax` (16 MiB), `bodiesBytesMax` (eight times that), two minutes a request.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  checkClosed(options);
  const routes: Route[] = [];
  const state = { draining: false };
  const app = httpApp(options, routes, state);
  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    await app.close();
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new MedleyError("port_taken", `port ${options.port} on ${options.host} is taken`, {
      mend: "stop the process that listens there, or configure another port",
      cause: error,
    });
  }
  const { port } = app.server.address() as AddressInfo;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  const drain = () => {
    state.draining = true;
  };
  return { url: `http://${host}:${port}`, port, routes, drain, close: ({ graceMs }) => close(app, graceMs) };
}

function httpApp(
  options: HttpServerOptions,
  routes: Route[],
  state: { readonly draining: boolean },
): FastifyInstance {
  const bodyBytesMax = options.bodyBytesMax ?? 16 * mebibyte;
  const bytesMax = options.bodiesBytesMax ?? 8 * bodyBytesMax;
  const app = fastify({
    ...(options.logger === undefined ? {} : { loggerInstance: options.logger }),
    // A path may hold a record's id.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: bodyBytesMax,
    requestTimeout: requestMsMax,
    routerOptions: { maxParamLength: pathPartCharsMax },
    frameworkErrors: replyError,
  });
  const checkAccess = accessCheck(options);
  const budget = new BodyBudget({ bodyBytesMax, bytesMax });
  app.setErrorHandler(replyError);
  app.setNotFoundHandler(replyNotFound);
  app.addHook("onRoute", ({ method, url, config }) => {
    const scope = config?.scope;
    assert(scope !== undefined, `the route ${method} ${url} says which scope it asks for`);
    for (const one of [method].flat()) routes.push({ method: one, url, scope });
  });
  app.decorateRequest("reach", null);
  app.addHook("onRequest", async (request, reply) => {
    checkAccess(request);
    if (state.draining) refuseWork(request, reply);
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      throw new MedleyError("media_type_unsupported", `Content-Encoding ${encoding} is not read`, {
        mend: "send the body uncompressed",
      });
    }
    budget.reserve(request, reply);
  });
  countRequests(app, options.counters ?? new RequestCounters());
  parseBodies(app);
  for (const route of options.routes) route(app);
  return app;
}

/** Throws `draining` for routes that work on records; the connection is closed, so that a balancer chooses anew. */
function refuseWork(request: FastifyRequest, reply: FastifyReply): void {
  const { scope } = request.routeOptions.config;
  if (scope === "open" || scope === "operate") return;
  reply.header("connection", "close");
  throw new MedleyError("draining", "this process is about to end", {
    mend: "send it again: another will answer",
  });
}

function countRequests(app: FastifyInstance, counters: RequestCounters): void {
  app.addHook("onResponse", async (request, reply) => {
    const { method, is404 } = request;
    const { statusCode: status, elapsedTime } = reply;
    const route = is404 ? undefined : request.routeOptions.url;
    counters.count({ method, route, status, seconds: elapsedTime / 1000 });
  });
}

async function close(app: FastifyInstance, graceMs: number): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}
