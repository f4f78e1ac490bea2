import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { until, Workplace } from "./medley.fixture.ts";

export type ServiceName = "producer" | "embedding-worker" | "indexer" | "query";

export interface Service {
  readonly name: ServiceName;
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

export interface Status {
  readonly backlog: readonly { channel: "records" | "vectors"; waiting: number; inFlight: number }[];
  readonly collections: readonly { rowsLive: number; deadLettersOpen: number }[];
}

const services = join(import.meta.dirname, "../../services");

/** Services as processes of their own, meeting in a database that is the test's own on the server at `serverUrl`. */
export class Services implements AsyncDisposable {
  readonly workplace = new Workplace();
  readonly running: Service[] = [];
  readonly databaseUrl: string;
  readonly #serverUrl: string;
  readonly #database = `medley_e2e_${randomBytes(6).toString("hex")}`;
  readonly #environment: Readonly<Record<string, string>>;

  constructor(serverUrl: string, environment: Readonly<Record<string, string>> = {}) {
    this.#serverUrl = serverUrl;
    this.#environment = environment;
    const url = new URL(serverUrl);
    url.pathname = `/${this.#database}`;
    this.databaseUrl = url.href;
  }

  async createDatabase(): Promise<void> {
    await this.#onServer(`create database ${this.#database}`);
  }

  /** Resolves when it is ready. */
  async start(name: ServiceName): Promise<Service> {
    const port = await freePort();
    const child = spawn(process.execPath, [join(services, name, "src/main.ts")], {
      cwd: this.workplace.folder,
      env: {
        ...process.env,
        ...this.#environment,
        MEDLEY_DATABASE_URL: this.databaseUrl,
        MEDLEY_CONFIG: this.workplace.path("medley.config.json"),
        MEDLEY_HTTP_PORT: String(port),
        MEDLEY_MODEL_THREADS: "1",
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
    });
    const service = { name, child, url: `http://127.0.0.1:${port}`, log: () => log };
    this.running.push(service);
    const isReady = async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended: ${log}`);
      return fetch(`${service.url}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      );
    };
    await until(isReady, (ready) => ready);
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const alive = this.running.filter(({ child }) => child.exitCode === null && child.signalCode === null);
    const ends = alive.map(({ child }) => once(child, "exit"));
    for (const { child } of alive) child.kill("SIGKILL");
    await Promise.all(ends);
    await this.#onServer(`drop database if exists ${this.#database} with (force)`);
    await this.workplace[Symbol.asyncDispose]();
  }

  async #onServer(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.#serverUrl });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
