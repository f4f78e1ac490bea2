import { randomBytes } from "node:crypto";
import pg from "pg";
import { type ServiceName, ServiceProcess } from "../service-process.ts";
import { Workplace } from "./medley.fixture.ts";

/** Of `GET /v1/status`. */
export interface Status {
  readonly backlog: readonly { channel: "records" | "vectors"; waiting: number; inFlight: number }[];
  readonly collections: readonly { rowsLive: number; deadLettersOpen: number }[];
}

/** Services as processes of their own, meeting in a database that is the test's own on the server at `serverUrl`. */
export class Services implements AsyncDisposable {
  readonly workplace: Workplace;
  readonly running: ServiceProcess[] = [];
  /** What services and commands are told. */
  readonly environment: Readonly<Record<string, string>>;
  readonly prefix: string;
  readonly #serverUrl: string;
  readonly #database: string;

  private constructor(serverUrl: string, options: ServicesOptions) {
    const suffix = randomBytes(6).toString("hex");
    this.workplace = new Workplace(options.config);
    this.prefix = `medley-e2e-${suffix}`;
    this.#serverUrl = serverUrl;
    this.#database = `medley_e2e_${suffix}`;
    const url = new URL(serverUrl);
    url.pathname = `/${this.#database}`;
    this.environment = {
      ...options.environment,
      MEDLEY_DATABASE_URL: url.href,
      MEDLEY_LANE_PREFIX: this.prefix,
      MEDLEY_MODEL_THREADS: "1",
    };
  }

  static async create(serverUrl: string, options: ServicesOptions = {}): Promise<Services> {
    const services = new Services(serverUrl, options);
    await services.#onServer(`create database ${services.#database}`);
    return services;
  }

  /** Resolves when it is ready. */
  async start(name: ServiceName): Promise<ServiceProcess> {
    const { workplace, environment } = this;
    const started = await ServiceProcess.start(name, {
      folder: workplace.folder,
      environment: { ...environment, MEDLEY_CONFIG: "medley.config.json" },
    });
    this.running.push(started);
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.running.map((service) => service.end("SIGKILL")));
    await this.#onServer(`drop database if exists ${this.#database} with (force)`);
    await this.workplace[Symbol.asyncDispose]();
  }

  async #onServer(sql: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.#serverUrl });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  }
}

interface ServicesOptions {
  /** Default: that of `Workplace`. */
  readonly config?: object;
  /** Besides the database: which lanes. */
  readonly environment?: Readonly<Record<string, string>>;
}
