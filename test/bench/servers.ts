import { provideServices, serviceVariables } from "../services/services.ts";

export interface Servers {
  readonly kafkaBrokers: string;
  readonly redisUrl: string;
  readonly databaseUrl: string;
}

const resources = new AsyncDisposableStack();
let servers: Promise<Servers> | null = null;

/**
 * Real servers: those of the environment, else, started once for all benchmarks, ones that wait for the disk as a
 * production server does. `closeServers` stops them.
 */
export function openServers(): Promise<Servers> {
  servers ??= startServers();
  return servers;
}

export async function closeServers(): Promise<void> {
  await resources.disposeAsync();
}

async function startServers(): Promise<Servers> {
  process.env.MEDLEY_SERVICES_FSYNC = "on";
  const { variables, report } = await provideServices(
    { MEDLEY_SERVICES: "native", ...process.env },
    resources,
  );
  const missing = serviceVariables.filter((name) => variables[name] === undefined);
  if (missing.length > 0) throw new Error(`these benchmarks need servers: ${report.join("; ")}`);
  return {
    kafkaBrokers: variables.KAFKA_BROKERS as string,
    redisUrl: variables.REDIS_URL as string,
    databaseUrl: variables.DATABASE_URL as string,
  };
}
