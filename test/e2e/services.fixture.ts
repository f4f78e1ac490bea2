import { OwnDatabase } from "../own-database.ts";
import { type ServiceName, ServiceProcess } from "../service-process.ts";
import { Workplace } from "./workplace.ts";

/** Of `GET /v1/status`. */
export interface Status {
  readonly backlog: readonly { channel: "records" | "vectors"; waiting: number; inFlight: number }[];
  readonly collections: readonly { rowsLive: number; deadLettersOpen: number }[];
}

/** Services as processes of their own, meeting in a database that is the test's own on the server at `serverUrl`. */
export class Services implements AsyncDisposable {
  readonly workplace: Workplace;
  readonly database: OwnDatabase;
  readonly running: ServiceProcess[] = [];
  /** What services and commands are told. */
  readonly environment: Readonly<Record<string, string>>;

  private constructor(database: OwnDatabase, { config, environment }: ServicesOptions) {
    this.database = database;
    this.workplace = new Workplace(config);
    this.environment = {
      MEDLEY_DATABASE_URL: database.url,
      MEDLEY_LANE_PREFIX: database.prefix,
      MEDLEY_MODEL_THREADS: "1",
      ...environment,
    };
  }

  static async create(serverUrl: string, options: ServicesOptions = {}): Promise<Services> {
    return new Services(await OwnDatabase.create(serverUrl), options);
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
    await this.database[Symbol.asyncDispose]();
    await this.workplace[Symbol.asyncDispose]();
  }
}

interface ServicesOptions {
  /** Default: that of `Workplace`. */
  readonly config?: object;
  /** Besides, or instead of, the database's. */
  readonly environment?: Readonly<Record<string, string>>;
}
