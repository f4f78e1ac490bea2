import { strict as assert } from "node:assert";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import pg from "pg";
import { until, type Workplace } from "./medley.fixture.ts";

const services = join(import.meta.dirname, "../../services");
export type ServiceName = "producer" | "embedding-worker" | "indexer" | "query";

/** A service as a process of its own, on a free port. */
export interface ServiceProcess {
  readonly name: ServiceName;
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

/** A database of this run's own in the server that `DATABASE_URL` names; dropped when disposed. */
export class OwnDatabase implements AsyncDisposable {
  readonly #name = `medley_e2e_${randomBytes(6).toString("hex")}`;
  readonly #serverUrl = process.env.DATABASE_URL as string;

  static async create(): Promise<OwnDatabase> {
    const database = new OwnDatabase();
    await database.#run(`create database ${database.#name}`);
    return database;
  }

  get url(): string {
    const url = new URL(this.#serverUrl);
    url.pathname = `/${this.#name}`;
    return url.href;
  }

  /** As a server that restarts does to its clients. Returns how many connections there were. */
  async cutConnections(): Promise<number> {
    return this.#run(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${this.#name}'`,
    );
  }

  async #run(sql: string): Promise<number> {
    const client = new pg.Client({ connectionString: this.#serverUrl });
    await client.connect();
    const { rowCount } = await client.query(sql).finally(() => client.end());
    return rowCount ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run(`drop database if exists ${this.#name} with (force)`);
  }
}

/** Starts services in a workplace and ends those that are left. */
export class ServiceProcesses implements AsyncDisposable {
  readonly #workplace: Workplace;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #started: ServiceProcess[] = [];

  constructor(workplace: Workplace, environment: Readonly<Record<string, string>>) {
    this.#workplace = workplace;
    this.#environment = environment;
  }

  /** Resolves once it is ready. */
  async start(
    name: ServiceName,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<ServiceProcess> {
    const child = spawn(process.execPath, [join(services, name, "src/main.ts")], {
      cwd: this.#workplace.folder,
      env: {
        ...process.env,
        MEDLEY_CONFIG: this.#workplace.path("medley.config.json"),
        MEDLEY_HTTP_PORT: "0",
        MEDLEY_MODEL_THREADS: "1",
        ...this.#environment,
        ...environment,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log += text;
    });
    const url = await until(
      async () => {
        assert(child.exitCode === null, `${name} ended: ${log}`);
        return /"http":"([^"]+)"/.exec(log)?.[1];
      },
      (found) => found !== undefined,
    );
    const service = { name, child, url: url as string, log: () => log };
    this.#started.push(service);
    await until(
      () => fetch(`${url}/readyz`),
      ({ status }) => status === 200,
    );
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const alive = this.#started.filter(({ child }) => child.exitCode === null && child.signalCode === null);
    const ends = alive.map(({ child }) => once(child, "exit"));
    for (const { child } of alive) child.kill("SIGKILL");
    await Promise.all(ends);
  }
}
