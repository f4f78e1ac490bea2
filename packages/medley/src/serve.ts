import { once } from "node:events";
import {
  type HttpServer,
  healthRoutes,
  metricsRoutes,
  type Routes,
  recordsRoutes,
  searchRoutes,
  startHttpServer,
  statusRoutes,
} from "@medley/http";
import { pino } from "pino";
import type { LoadedConfig } from "./config/load-config.ts";
import type { Settings } from "./config/settings.ts";
import { type Deployment, openDeployment, type StageName } from "./deployment/deployment.ts";
import { readBacklogs, readStatus } from "./deployment/status.ts";
import { ingestTables } from "./ingest/table-ingest.ts";
import { ingestTopics } from "./ingest/topic-ingest.ts";

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

const requestsGraceMs = 10_000;

/** Runs a role until the signal aborts, then drains: HTTP, topics and tables first, so that nothing new comes in, then the stages. */
export async function serve({ config, settings, role, signal, onReady }: ServeOptions): Promise<void> {
  const logger = pino({ base: { role: role.name } }, pino.destination({ dest: 2, sync: true }));
  await using deployment = await openDeployment({
    collections: config.collections,
    lock: config.lock,
    settings,
    encodes: role.searches || role.stages.includes("embed"),
    role: role.name,
    onFault: ({ part, message }) => logger.warn({ part }, message),
  });
  await deployment.runStages(role.stages);
  await using resources = new AsyncDisposableStack();
  if (role.produces) {
    const topics = await ingestTopics({
      ports: deployment,
      collections: config.collections.values(),
      settings,
      onFault: ({ message }) => logger.warn({ part: "topics" }, message),
    });
    resources.adopt(topics, (open) => open.close({ graceMs: requestsGraceMs }));
    const tables = await ingestTables({
      ports: deployment,
      collections: config.collections.values(),
      settings,
      onFault: ({ message }) => logger.warn({ part: "tables" }, message),
    });
    resources.adopt(tables, (open) => open.close({ graceMs: requestsGraceMs }));
  }
  const http = await startHttpServer({
    host: settings.host,
    port: settings.httpPort,
    token: settings.token,
    logger,
    routes: routesOf(deployment, role),
  });
  deployment.database.announce(http.url);
  const { connectionString } = deployment.database;
  logger.info({ http: http.url, collections: [...config.collections.keys()] }, "ready");
  onReady?.({ httpUrl: http.url, connectionString });
  if (!signal.aborted) await once(signal, "abort");
  logger.info("draining");
  await stop(http);
}

function stop(http: HttpServer): Promise<void> {
  return http.close({ graceMs: requestsGraceMs });
}

function routesOf(deployment: Deployment, role: Role): Routes[] {
  const { counters, collections } = deployment;
  const readBacklog = () => readBacklogs(deployment);
  return [
    healthRoutes({
      checks: {
        postgres: async () => void (await deployment.pool.query("select 1")),
        queue: async () => void (await readBacklog()),
      },
    }),
    metricsRoutes({ counters, readBacklog }),
    statusRoutes({ readStatus: () => readStatus(deployment) }),
    ...(role.produces ? [recordsRoutes(deployment.produce)] : []),
    ...(role.searches
      ? [searchRoutes({ collections, search: (name, query) => deployment.searchEncoded(name, query) })]
      : []),
  ];
}
