/**
 * Real Kafka, Redis and Postgres for the suites that need them: the ones whose URLs the environment gives, else containers
 * where Docker answers, else, with MEDLEY_SERVICES=native, ones that infra/services.sh installs and starts. MEDLEY_SERVICES=none
 * asks for no more than the environment gives.
 */
import { dockerAnswers, startContainers } from "./containers.ts";
import { startNative } from "./native.ts";

/** The variable by which suites find each service. */
export const serviceVariables = ["KAFKA_BROKERS", "REDIS_URL", "DATABASE_URL"] as const;
export type ServiceVariable = (typeof serviceVariables)[number];

export interface Services {
  /** Of those that could be had. */
  readonly variables: Readonly<Partial<Record<ServiceVariable, string>>>;
  /** One line per service: where it comes from, or why there is none. */
  readonly report: readonly string[];
}

/** What a way of starting services gives; it stops them when `resources` is disposed. */
export type StartServices = (
  missing: readonly ServiceVariable[],
  resources: AsyncDisposableStack,
) => Promise<Readonly<Partial<Record<ServiceVariable, string>>>>;

export async function provideServices(
  environment: NodeJS.ProcessEnv,
  resources: AsyncDisposableStack,
): Promise<Services> {
  const given = Object.fromEntries(
    serviceVariables.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  );
  const missing = serviceVariables.filter((name) => given[name] === undefined);
  const { start, reason } = await wayToStart(environment.MEDLEY_SERVICES);
  const started = missing.length > 0 && start !== null ? await start(missing, resources) : {};
  const report = serviceVariables.map((name) => {
    if (given[name] !== undefined) return `${name}: of the environment`;
    return started[name] === undefined ? `${name}: none, since ${reason}` : `${name}: ${reason}`;
  });
  return { variables: { ...given, ...started }, report };
}

async function wayToStart(
  asked: string | undefined,
): Promise<{ start: StartServices | null; reason: string }> {
  switch (asked) {
    case "none":
      return { start: null, reason: "MEDLEY_SERVICES=none asks for none" };
    case "native":
      return { start: startNative, reason: "started by infra/services.sh" };
    case undefined:
    case "":
      if (await dockerAnswers()) return { start: startContainers, reason: "started in a container" };
      return { start: null, reason: "no Docker answers and MEDLEY_SERVICES=native is not set" };
    default:
      throw new Error(`MEDLEY_SERVICES is ${JSON.stringify(asked)}; it must be native or none`);
  }
}
