import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkConfig, type Encoder, type Space } from "@medley/core";
import { type Deployment, type MedleyDefinition, openDeployment, readSettings } from "medley";
import { OwnDatabase } from "../own-database.ts";
import { type ServiceName, type ServiceOptions, ServiceProcess } from "../service-process.ts";
import { openServers } from "./servers.ts";

/** A deployment over real servers, of its own database and prefix: one in this process, and services beside it. */
export interface Deployed extends AsyncDisposable {
  readonly databaseUrl: string;
  /** Runs no stages until asked to; brings the database up to date. */
  readonly deployment: Deployment;
  startService(
    name: ServiceName,
    options?: Partial<Pick<ServiceOptions, "cores" | "environment">>,
  ): Promise<ServiceProcess>;
}

export interface DeployedOptions {
  readonly config: MedleyDefinition<never> | { readonly collections: object };
  /** Kafka for the stream and Redis for backfills, or both lanes in Postgres. */
  readonly lanes: "kafka-redis" | "postgres";
  /** Of this process: services take what is configured. */
  readonly encoderOf?: (space: Space) => Encoder | null;
  readonly environment?: Readonly<Record<string, string>>;
}

export async function deploy(options: DeployedOptions): Promise<Deployed> {
  await using resources = new AsyncDisposableStack();
  const { kafkaBrokers, redisUrl, databaseUrl } = await openServers();
  const database = resources.use(await OwnDatabase.create(databaseUrl));
  const folder = mkdtempSync(join(tmpdir(), "medley-bench-"));
  resources.defer(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "medley.config.json"), JSON.stringify(options.config));
  const lanes =
    options.lanes === "postgres" ? {} : { MEDLEY_KAFKA_BROKERS: kafkaBrokers, MEDLEY_REDIS_URL: redisUrl };
  const environment: Record<string, string> = {
    ...lanes,
    MEDLEY_DATABASE_URL: database.url,
    MEDLEY_LANE_PREFIX: database.prefix,
    MEDLEY_CONFIG: "medley.config.json",
    ...options.environment,
  };
  const collections = new Map(checkConfig(options.config).map((one) => [one.name, one]));
  const deployment = resources.use(
    await openDeployment({
      collections,
      settings: readSettings(environment),
      migrates: true,
      ...(options.encoderOf === undefined ? {} : { encoderOf: options.encoderOf }),
    }),
  );
  const closing = resources.move();
  return {
    deployment,
    databaseUrl: database.url,
    startService: async (name, more = {}) => {
      const started = await ServiceProcess.start(name, {
        folder,
        environment: { ...environment, ...more.environment },
        ...(more.cores === undefined ? {} : { cores: more.cores }),
      });
      closing.defer(async () => void (await started.end("SIGKILL")));
      return started;
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
