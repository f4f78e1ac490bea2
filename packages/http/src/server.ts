import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { MedleyError } from "@medley/core";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import { accessCheck, checkClosed } from "./access.ts";
import { parseBodies } from "./body/body.ts";
import { BodyBudget } from "./body/body-budget.ts";
import { replyError, replyNotFound } from "./error-reply.ts";

/** Adds some of the interface to an application. */
export type Routes = (app: FastifyInstance) => void;

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Asked of every request but probes. Null is allowed on loopback only. */
  readonly token: string | null;
  readonly routes: readonly Routes[];
  /** pino. Told of failures: error code and request id, never a body or a path. */
  readonly logger?: FastifyBaseLogger;
  /** Of one request. */
  readonly bodyBytesMax?: number;
  /** Of all requests in hand together. */
  readonly bodiesBytesMax?: number;
}

export interface HttpServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly port: number;
  /** Takes nothing new, waits for requests in hand; those not done after `graceMs` are cut off. */
  close(options: { graceMs: number }): Promise<void>;
}

const requestMsMax = 120_000;
const mebibyte = 2 ** 20;
// An id has 512 bytes, each three characters when percent-encoded; longer ones are refused by their length in bytes.
const pathPartCharsMax = 4_096;

/**
 * Listens. Closed by default: throws `usage` for a host beyond loopback without a token, and `port_taken` with the port.
 * Bounds: `bodyBytesMax` (16 MiB), `bodiesBytesMax` (eight times that), two minutes a request.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  checkClosed(options);
  const app = httpApp(options);
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
  return { url: `http://${host}:${port}`, port, close: ({ graceMs }) => drain(app, graceMs) };
}

function httpApp(options: HttpServerOptions): FastifyInstance {
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
  app.addHook("onRequest", async (request, reply) => {
    checkAccess(request);
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      throw new MedleyError("media_type_unsupported", `Content-Encoding ${encoding} is not read`, {
        mend: "send the body uncompressed",
      });
    }
    budget.reserve(request, reply);
  });
  parseBodies(app);
  for (const routes of options.routes) routes(app);
  return app;
}

async function drain(app: FastifyInstance, graceMs: number): Promise<void> {
  const cut = setTimeout(() => app.server.closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}
