import { request } from "node:http";
import { createServer } from "node:net";
import type { ServiceVariable, StartServices } from "./services.ts";

type Started = { readonly url: string; stop(): Promise<unknown> };

const images = {
  KAFKA_BROKERS: "apache/kafka:4.1.1",
  REDIS_URL: "redis:7.4-alpine",
  DATABASE_URL: "pgvector/pgvector:0.8.1-pg17",
} as const satisfies Record<ServiceVariable, string>;

/** Cheaper than to ask the library, which throws where there is none. */
export function dockerAnswers(): Promise<boolean> {
  const answered = Promise.withResolvers<boolean>();
  request({ socketPath: "/var/run/docker.sock", path: "/_ping", timeout: 500 })
    .on("response", (response) => answered.resolve(response.statusCode === 200))
    .on("timeout", () => answered.resolve(false))
    .on("error", () => answered.resolve(false))
    .end();
  return answered.promise;
}

/** Containers of the missing services, started together. */
export const startContainers: StartServices = async (missing, resources) => {
  const started = await Promise.all(
    missing.map(async (name) => {
      const container = await startContainer(name);
      resources.defer(async () => void (await container.stop()));
      return [name, container.url] as const;
    }),
  );
  return Object.fromEntries(started);
};

async function startContainer(name: ServiceVariable): Promise<Started> {
  // Imported late: it takes a second, and most runs need no container.
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = new GenericContainer(images[name]);
  switch (name) {
    case "KAFKA_BROKERS": {
      // Clients are told an address, so the port outside must be known before the start.
      const port = await freePort();
      const running = await container
        .withExposedPorts({ container: port, host: port })
        .withEnvironment(kafkaEnvironment(port))
        .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
        .start();
      return { url: `${running.getHost()}:${port}`, stop: () => running.stop() };
    }
    case "REDIS_URL": {
      const running = await container
        .withExposedPorts(6379)
        .withCommand(["redis-server", "--appendonly", "yes", "--maxmemory-policy", "noeviction"])
        .start();
      return {
        url: `redis://${running.getHost()}:${running.getMappedPort(6379)}`,
        stop: () => running.stop(),
      };
    }
    case "DATABASE_URL": {
      const running = await container
        .withExposedPorts(5432)
        .withEnvironment({ POSTGRES_PASSWORD: "medley" })
        .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
        .start();
      const host = `${running.getHost()}:${running.getMappedPort(5432)}`;
      return { url: `postgres://postgres:medley@${host}/postgres`, stop: () => running.stop() };
    }
    default:
      throw new Error(`unreachable: ${name satisfies never}`);
  }
}

function kafkaEnvironment(port: number): Record<string, string> {
  return {
    KAFKA_NODE_ID: "1",
    KAFKA_PROCESS_ROLES: "broker,controller",
    KAFKA_CONTROLLER_QUORUM_VOTERS: "1@localhost:29093",
    KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://localhost:29093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    KAFKA_CONTROLLER_LISTENER_NAMES: "CONTROLLER",
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: "false",
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: "1",
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: "1",
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: "0",
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: "1000",
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
