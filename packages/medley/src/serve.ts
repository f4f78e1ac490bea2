import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Consumer, MedleyError } from "@medley/core";
import {
  collectionsRoutes,
  encodeRoutes,
  type HttpServer,
  healthRoutes,
  metricsRoutes,
  RequestCounters,
  type Routes,
  recordsRoutes,
  searchRoutes,
  startHttpServer,
  statusRoutes,
  usersRoutes,
} from "@medley/http";
import type { LoadedConfig } from "./config/load-config.ts";
import type { Settings } from "./config/settings.ts";
import type { Deployment, StageName } from "./deployment/deployment.ts";
import { openDeployment } from "./deployment/open-deployment.ts";
import { readStatus } from "./deployment/status.ts";
import { ingestTables } from "./ingest/table-ingest.ts";
import { ingestTopics } from "./ingest/topic-ingest.ts";
import { codeOf, openLogger } from "./observability/log.ts";
import { metricsOf } from "./observability/metrics.ts";
import { readinessOf } from "./readiness.ts";

/** What a process does: the embedded mode all of it, each service its own part. */
export interface Role {
  readonly name: string;
  readonly stages: readonly StageName[];
  /** Takes records over HTTP. */
  readonly produces: boolean;
  /** Answers searches over HTTP. */
  readonly searches: boolean;
}

export interface ServeOptions {
  readonly config: LoadedConfig;
  readonly settings: Settings;
  readonly role: Role;
  readonly signal: AbortSignal;
  /** Told once everything listens. */
  readonly onReady?: (serving: { httpUrl: string; connectionString: string }) => void;
}

/**
 * Runs a role until the signal aborts, then drains: `/readyz` says so at once; after `drainDelaySeconds` HTTP, topics and
 * tables give no more work and the stages take no more packets, and what is in hand has the rest of `graceSeconds`. What is
 * not done by then goes back to its lane, requests are cut off. Resolves when all is closed.
 */
export async function serve({ config, settings, role, signal, onReady }: ServeOptions): Promise<void> {
  checkTokens(config, settings);
  const logger = openLogger({ role: role.name, level: settings.logLevel });
  await using deployment = await openDeployment({
    collections: config.collections,
    lock: config.lock,
    settings,
    encodes: role.searches || role.stages.includes("embed"),
    role: role.name,
    onFault: ({ part, message }) => logger.warn({ part }, message),
    onStageFailure: ({ error, ...where }) =>
      logger.warn({ ...where, code: codeOf(error) }, "a packet failed and comes again"),
  });
  await deployment.runStages(role.stages);
  await using resources = new AsyncDisposableStack();
  const sources = role.produces ? await openSources(deployment, { config, settings, logger, resources }) : [];
  const requests = new RequestCounters();
  const http = await startHttpServer({
    host: settings.host,
    port: settings.httpPort,
    tokens: settings.tokens,
    logger,
    counters: requests,
    routes: routesOf(deployment, role, { requests, signal }),
  });
  deployment.database.announce(http.url);
  const { connectionString } = deployment.database;
  logger.info({ http: http.url, collections: [...config.collections.keys()] }, "ready");
  onReady?.({ httpUrl: http.url, connectionString });
  if (!signal.aborted) await once(signal, "abort");
  const { graceSeconds, drainDelaySeconds } = settings;
  logger.info({ graceSeconds, drainDelaySeconds }, "draining");
  await drain(
    { http, deployment, sources },
    { graceMs: graceSeconds * 1000, delayMs: drainDelaySeconds * 1000 },
  );
  logger.info("drained");
}

/** Topics and tables that collections name; they are closed with `resources` at the latest. */
async function openSources(
  deployment: Deployment,
  {
    config,
    settings,
    logger,
    resources,
  }: Pick<ServeOptions, "config" | "settings"> & {
    logger: ReturnType<typeof openLogger>;
    resources: AsyncDisposableStack;
  },
): Promise<readonly Consumer[]> {
  const options = { ports: deployment, collections: [...config.collections.values()], settings };
  const sources: Consumer[] = [];
  for (const [part, ingest] of [
    ["topics", ingestTopics],
    ["tables", ingestTables],
  ] as const) {
    const onFault = ({ message }: { message: string }) => logger.warn({ part }, message);
    const source = await ingest({ ...options, onFault });
    resources.adopt(source, (open) => open.close({ graceMs: 0 }));
    sources.push(source);
  }
  return sources;
}

async function drain(
  { http, deployment, sources }: { http: HttpServer; deployment: Deployment; sources: readonly Consumer[] },
  { graceMs, delayMs }: { graceMs: number; delayMs: number },
): Promise<void> {
  const endsAtMs = performance.now() + graceMs;
  const leftMs = () => Math.max(endsAtMs - performance.now(), 0);
  await sleep(Math.min(delayMs, leftMs()));
  http.drain();
  // Requests in hand go on meanwhile; probes and metrics are answered until the last packet is done.
  await Promise.all([
    deployment.stopStages({ graceMs: leftMs() }),
    ...sources.map((source) => source.close({ graceMs: leftMs() })),
  ]);
  await http.close({ graceMs: leftMs() });
}

/** A name that is misspelt would lock its token out without a word. */
function checkTokens({ collections }: LoadedConfig, { tokens }: Settings): void {
  for (const token of tokens) {
    const unknown = token.collections?.find((name) => !collections.has(name));
    if (unknown === undefined) continue;
    throw new MedleyError("usage", `the token "${token.name}" is for "${unknown}", which is no collection`, {
      mend: `configured: ${[...collections.keys()].join(", ")}`,
    });
  }
}

function routesOf(
  deployment: Deployment,
  role: Role,
  { requests, signal }: { requests: RequestCounters; signal: AbortSignal },
): Routes[] {
  const { collections } = deployment;
  return [
    healthRoutes({ checks: readinessOf(deployment, role, signal) }),
    metricsRoutes({ renderMetrics: metricsOf({ deployment, role: role.name, requests }) }),
    statusRoutes({ readStatus: () => readStatus(deployment) }),
    ...(role.produces
      ? [
          recordsRoutes(deployment.produce),
          usersRoutes({
            collections: deployment.produce.collections,
            forgetUser: (name, user) => deployment.forgetUser(name, user),
          }),
        ]
      : []),
    ...(role.searches
      ? [
          collectionsRoutes({ collections }),
          encodeRoutes({ collections }),
          searchRoutes({
            collections,
            clock: deployment.clock,
            search: (name, query) => deployment.searchEncoded(name, query),
            understand: (collection, sentence, signal) => deployment.understand(collection, sentence, signal),
            explain: (name, query) => deployment.explainEncoded(name, query),
          }),
        ]
      : []),
  ];
}
