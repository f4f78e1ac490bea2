import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { MedleyError } from "@medley/core";
import type { AccessToken } from "@medley/http";
import { type DeviceChoice, deviceChoices, EndpointKey } from "@medley/models";
import { masterToken, parseAccessTokens } from "./access-tokens.ts";

/** How a process runs, as opposed to what it holds (the configuration). Read once, at the edge; nothing else reads the environment. */
export interface Settings {
  /** Of the embedded Postgres. */
  readonly dataDir: string;
  /** A Postgres to use instead of the embedded one. */
  readonly databaseUrl: string | null;
  /** Of the store; the queue in Postgres has its own. */
  readonly databaseConnectionsMax: number;
  /** Postgres' `statement_timeout` and `lock_timeout`; null: what the server or the role says. */
  readonly databaseStatementMsMax: number | null;
  readonly databaseLockMsMax: number | null;
  /** Where HTTP listens. Beyond loopback a token is needed. */
  readonly host: string;
  readonly httpPort: number;
  /** Where the embedded Postgres listens, on loopback. */
  readonly postgresPort: number;
  /** What this process shows to others; those asked of it are `tokens`. */
  readonly token: string | null;
  /** Of `MEDLEY_TOKEN` and `MEDLEY_TOKENS`. */
  readonly tokens: readonly AccessToken[];
  /** Session threads; null: one per core. */
  readonly modelThreads: number | null;
  /** Where models run. */
  readonly device: DeviceChoice;
  /** Of all models in all session threads together; null: half of the memory this process may use. */
  readonly modelMemoryMegabytesMax: number | null;
  /** Packets that may wait for the embedding-worker before producers are slowed. */
  readonly backlogPacketsMax: number;
  /** First part of the names of topics and of Redis keys, so that deployments can share a broker. */
  readonly lanePrefix: string;
  /** The stream's lane; null: it takes the backfill's. */
  readonly kafka: KafkaSettings | null;
  /** The backfill's lane; null: a queue in the database. */
  readonly redisUrl: string | null;
  /** The model that reads sentences of searches; null: rules do. */
  readonly chat: ChatSettings | null;
  readonly logLevel: LogLevel;
  /** From the signal to stop until what is not done goes back to the lanes. */
  readonly graceSeconds: number;
  /** Between saying "not ready" and refusing work, for balancers that take their time to notice. */
  readonly drainDelaySeconds: number;
  /** What is left of the environment for the model runtime: where the Hugging Face cache is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export const kafkaClients = ["kafkajs", "platformatic"] as const;
export const kafkaMechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const;

export interface KafkaSettings {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly client: (typeof kafkaClients)[number];
  /** Of topics that Medley makes; existing ones stay as they are. */
  readonly partitions: number;
  readonly replication: number;
  readonly retentionHours: number;
  /** Where dead letters are sent besides the table; null: nowhere. */
  readonly deadLetterTopic: string | null;
  readonly tls: boolean;
  /** Null: no SASL. */
  readonly login: {
    readonly mechanism: (typeof kafkaMechanisms)[number];
    readonly username: string;
    readonly password: string;
  } | null;
}

export interface ChatSettings {
  readonly url: string;
  readonly model: string;
  readonly key: EndpointKey | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Variable {
  readonly name: string;
  readonly fallback: string | null;
  readonly secret?: true;
}

/** Every variable, with its default; `medley config` prints them with their origin. */
export const variables = {
  dataDir: { name: "MEDLEY_DATA_DIR", fallback: ".medley" },
  databaseUrl: { name: "MEDLEY_DATABASE_URL", fallback: null, secret: true },
  databaseConnectionsMax: { name: "MEDLEY_DATABASE_CONNECTIONS_MAX", fallback: "4" },
  databaseStatementMsMax: { name: "MEDLEY_DATABASE_STATEMENT_MS_MAX", fallback: null },
  databaseLockMsMax: { name: "MEDLEY_DATABASE_LOCK_MS_MAX", fallback: null },
  host: { name: "MEDLEY_HOST", fallback: "127.0.0.1" },
  httpPort: { name: "MEDLEY_HTTP_PORT", fallback: "7400" },
  postgresPort: { name: "MEDLEY_POSTGRES_PORT", fallback: "7432" },
  token: { name: "MEDLEY_TOKEN", fallback: null, secret: true },
  tokens: { name: "MEDLEY_TOKENS", fallback: null, secret: true },
  logLevel: { name: "MEDLEY_LOG_LEVEL", fallback: "info" },
  graceSeconds: { name: "MEDLEY_GRACE_SECONDS", fallback: "25" },
  drainDelaySeconds: { name: "MEDLEY_DRAIN_DELAY_SECONDS", fallback: "0" },
  modelThreads: { name: "MEDLEY_MODEL_THREADS", fallback: null },
  device: { name: "MEDLEY_DEVICE", fallback: "auto" },
  modelMemoryMegabytesMax: { name: "MEDLEY_MODEL_MEMORY_MB_MAX", fallback: null },
  backlogPacketsMax: { name: "MEDLEY_BACKLOG_PACKETS_MAX", fallback: "200" },
  lanePrefix: { name: "MEDLEY_LANE_PREFIX", fallback: "medley" },
  redisUrl: { name: "MEDLEY_REDIS_URL", fallback: null, secret: true },
  chatUrl: { name: "MEDLEY_CHAT_URL", fallback: null },
  chatModel: { name: "MEDLEY_CHAT_MODEL", fallback: null },
  chatKey: { name: "MEDLEY_CHAT_KEY", fallback: null, secret: true },
  kafkaBrokers: { name: "MEDLEY_KAFKA_BROKERS", fallback: null },
  kafkaClient: { name: "MEDLEY_KAFKA_CLIENT", fallback: "kafkajs" },
  kafkaPartitions: { name: "MEDLEY_KAFKA_PARTITIONS", fallback: "6" },
  kafkaReplication: { name: "MEDLEY_KAFKA_REPLICATION", fallback: "1" },
  kafkaRetentionHours: { name: "MEDLEY_KAFKA_RETENTION_HOURS", fallback: "168" },
  kafkaDeadLetterTopic: { name: "MEDLEY_KAFKA_DEAD_LETTER_TOPIC", fallback: null },
  kafkaTls: { name: "MEDLEY_KAFKA_TLS", fallback: "off" },
  kafkaMechanism: { name: "MEDLEY_KAFKA_MECHANISM", fallback: "plain" },
  kafkaUsername: { name: "MEDLEY_KAFKA_USERNAME", fallback: null },
  kafkaPassword: { name: "MEDLEY_KAFKA_PASSWORD", fallback: null, secret: true },
} as const satisfies Record<string, Variable>;

export interface Origin {
  readonly variable: string;
  readonly value: string | null;
  readonly origin: "environment" | "file" | "default";
}

/** Precedence: environment, file named by `<variable>_FILE`, default. Throws `usage` for a value it can't use. */
export function readSettings(environment: Environment): Settings {
  const text = (variable: Variable) => read(environment, variable).value;
  return Object.freeze({
    dataDir: text(variables.dataDir) as string,
    databaseUrl: text(variables.databaseUrl),
    databaseConnectionsMax: integer(environment, variables.databaseConnectionsMax, 1, 1_000) as number,
    databaseStatementMsMax: integer(environment, variables.databaseStatementMsMax, 1, 86_400_000),
    databaseLockMsMax: integer(environment, variables.databaseLockMsMax, 1, 86_400_000),
    host: hostOf(text(variables.host) as string),
    httpPort: integer(environment, variables.httpPort, 0, 65_535) as number,
    postgresPort: integer(environment, variables.postgresPort, 0, 65_535) as number,
    token: text(variables.token),
    tokens: tokensOf(text(variables.token), text(variables.tokens)),
    logLevel: oneOf(environment, variables.logLevel, logLevels),
    graceSeconds: integer(environment, variables.graceSeconds, 0, 3_600) as number,
    drainDelaySeconds: integer(environment, variables.drainDelaySeconds, 0, 300) as number,
    modelThreads: integer(environment, variables.modelThreads, 1, 256),
    device: oneOf(environment, variables.device, deviceChoices),
    modelMemoryMegabytesMax: integer(environment, variables.modelMemoryMegabytesMax, 1, 1_000_000),
    backlogPacketsMax: integer(environment, variables.backlogPacketsMax, 1, 1_000_000) as number,
    lanePrefix: nameOf(environment, variables.lanePrefix) as string,
    kafka: kafkaSettings(environment),
    redisUrl: text(variables.redisUrl),
    chat: chatSettings(environment),
    environment,
  });
}

function tokensOf(token: string | null, tokens: string | null): readonly AccessToken[] {
  return [
    ...(token === null ? [] : [masterToken(token)]),
    ...(tokens === null ? [] : parseAccessTokens(tokens)),
  ];
}

function chatSettings(environment: Environment): ChatSettings | null {
  const text = (variable: Variable) => read(environment, variable).value;
  const [url, model, key] = [text(variables.chatUrl), text(variables.chatModel), text(variables.chatKey)];
  if (url === null) return null;
  if (model === null) {
    throw new MedleyError("usage", "MEDLEY_CHAT_URL is set, but MEDLEY_CHAT_MODEL is not", {
      mend: "name the model that the endpoint is to use",
    });
  }
  return { url, model, key: key === null ? null : new EndpointKey(key) };
}

function kafkaSettings(environment: Environment): KafkaSettings | null {
  const text = (variable: Variable) => read(environment, variable).value;
  const brokers = text(variables.kafkaBrokers);
  if (brokers === null) return null;
  const username = text(variables.kafkaUsername);
  return {
    brokers: brokersOf(brokers),
    client: oneOf(environment, variables.kafkaClient, kafkaClients),
    partitions: integer(environment, variables.kafkaPartitions, 1, 10_000) as number,
    replication: integer(environment, variables.kafkaReplication, 1, 100) as number,
    retentionHours: integer(environment, variables.kafkaRetentionHours, 1, 100_000) as number,
    deadLetterTopic: nameOf(environment, variables.kafkaDeadLetterTopic),
    tls: oneOf(environment, variables.kafkaTls, ["off", "on"]) === "on",
    login:
      username === null
        ? null
        : {
            mechanism: oneOf(environment, variables.kafkaMechanism, kafkaMechanisms),
            username,
            password: text(variables.kafkaPassword) ?? "",
          },
  };
}

/** Each variable with its value and where that comes from; secrets are shown as `***`. */
export function explainSettings(environment: Environment): readonly Origin[] {
  return Object.values<Variable>(variables).map((variable) => {
    const { value, origin } = read(environment, variable);
    return { variable: variable.name, value: value !== null && variable.secret ? "***" : value, origin };
  });
}

function read(
  environment: Environment,
  variable: Variable,
): { value: string | null; origin: Origin["origin"] } {
  const direct = environment[variable.name];
  const path = environment[`${variable.name}_FILE`];
  if (direct && path) {
    throw new MedleyError("usage", `${variable.name} and ${variable.name}_FILE are both set`, {
      mend: "keep one of them",
    });
  }
  if (direct) return { value: direct, origin: "environment" };
  if (!path) return { value: variable.fallback, origin: "default" };
  try {
    return { value: readFileSync(path, "utf8").trim(), origin: "file" };
  } catch (cause) {
    throw new MedleyError("usage", `${variable.name}_FILE names ${path}, which can't be read`, { cause });
  }
}

function integer(environment: Environment, variable: Variable, min: number, max: number): number | null {
  const { value } = read(environment, variable);
  if (value === null) return null;
  const number = Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new MedleyError("usage", `${variable.name} is ${JSON.stringify(value)}`, {
    mend: `it must be a whole number from ${min} to ${max}`,
  });
}

function oneOf<Choice extends string>(
  environment: Environment,
  variable: Variable,
  choices: readonly Choice[],
): Choice {
  const { value } = read(environment, variable);
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new MedleyError("usage", `${variable.name} is ${JSON.stringify(value)}`, {
    mend: `it must be one of ${choices.join(", ")}`,
  });
}

/** Of a topic or the first part of one. Dots and underscores count as equal in Kafka's metrics, so neither is used. */
function nameOf(environment: Environment, variable: Variable): string | null {
  const { value } = read(environment, variable);
  if (value === null || /^[a-z0-9](-?[a-z0-9]+){0,99}$/.test(value)) return value;
  throw new MedleyError("usage", `${variable.name} is ${JSON.stringify(value)}`, {
    mend: "it must be lower-case letters and digits with single dashes between them, such as medley-staging",
  });
}

function brokersOf(text: string): readonly string[] {
  const brokers = text.split(",").map((broker) => broker.trim());
  if (brokers.every((broker) => /^[^\s:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(broker))) return brokers;
  throw new MedleyError("usage", `MEDLEY_KAFKA_BROKERS is ${JSON.stringify(text)}`, {
    mend: "it must be host:port, several with commas between them",
  });
}

function hostOf(host: string): string {
  if (host === "localhost" || isIP(host) !== 0) return host;
  throw new MedleyError("usage", `MEDLEY_HOST is ${JSON.stringify(host)}`, {
    mend: "it must be an address of this machine, such as 127.0.0.1 or 0.0.0.0",
  });
}
