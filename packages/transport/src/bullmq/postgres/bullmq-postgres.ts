import { type Channel, channels, MedleyError, type Transport } from "@medley/core";
import { createPostgresBackend, type PostgresConnectionOptions, Queue, Worker } from "bullmq";
import pg from "pg";
import { faultOf } from "../../lease-consumer.ts";
import {
  type BackendEvents,
  type BullmqBackend,
  type BullmqLane,
  eventsMax,
  queueNameOf,
  workerOptions,
} from "../backend.ts";
import { openBullmq } from "../bullmq-broker.ts";
import { ArrivalListener } from "./arrival-listener.ts";
import { type BullmqPostgresConfig, type BullmqPostgresOptions, bullmqPostgresConfig } from "./config.ts";
import { isStandalone, Vacuum } from "./vacuum.ts";

const backendName = "the queue in Postgres";

/**
 * Opens the queue that `migrateBullmq` made. Throws `MedleyError` `schema_behind` where it was not made, and
 * `transport_unavailable` where Postgres can't be reached.
 */
export async function openBullmqPostgres(options: BullmqPostgresOptions): Promise<Transport> {
  const config = bullmqPostgresConfig(options);
  try {
    return await openBullmq({ ...config, backend: new PostgresBackend(config) });
  } catch (error) {
    if (error instanceof Error && error.name === "SchemaMigrationRequiredError") {
      throw new MedleyError("schema_behind", "the queue's tables (schema bullmq) are not in the database", {
        mend: "run the migrations with a role that may create a schema",
        cause: error,
      });
    }
    throw faultOf(error, backendName, "opening");
  }
}

/** Without the option that keeps one of the pool's connections for notifications: `ArrivalListener` has its own. */
const createWorkerBackend: typeof createPostgresBackend = (name, options) =>
  createPostgresBackend(name, options);

class PostgresBackend implements BullmqBackend {
  readonly name = backendName;
  readonly #config: BullmqPostgresConfig;
  readonly #pool: pg.Pool;
  #onFault: (error: unknown) => void = () => {};
  #listener: ArrivalListener | null = null;
  #vacuum: Vacuum | null = null;

  constructor(config: BullmqPostgresConfig) {
    this.#config = config;
    this.#pool = new pg.Pool({
      connectionString: config.connectionString,
      max: config.connectionsMax,
      connectionTimeoutMillis: config.queryMsMax,
      query_timeout: config.queryMsMax,
      // Some of BullMQ's statements name their tables without a schema. By statement and not as an option of the connection:
      // PGlite's clients share one session, which is there before them.
      onConnect: (client) => client.query("set search_path to bullmq, public") as unknown as undefined,
    });
    this.#pool.on("error", (error) => this.#onFault(error));
    // BullMQ's transactions take a client of the pool: one whose connection breaks between two statements, when nobody
    // waits for an answer, would end the process. The next statement fails, and says why.
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  openLane(channel: Channel): BullmqLane {
    const name = queueNameOf(channel);
    // BullMQ's own type for a pool is narrower than pg's by overloads it does not call.
    const connection = this.#pool as unknown as PostgresConnectionOptions;
    const queue = new Queue(
      name,
      { connection, streams: { events: { maxLen: eventsMax } } },
      createPostgresBackend,
    );
    const options = { connection, ...workerOptions(this.#config.leaseMs) };
    const worker = new Worker(name, null, options, createWorkerBackend);
    // The same classes; only the type of their connection, which nobody asks for, is another.
    return { queue, worker } as unknown as BullmqLane;
  }

  async listen({ onArrival, onFault }: BackendEvents): Promise<void> {
    this.#onFault = onFault;
    if (await isStandalone(this.#pool)) {
      this.#vacuum = new Vacuum(this.#pool);
      return;
    }
    this.#listener = new ArrivalListener({
      connectionString: this.#config.connectionString,
      connectMsMax: this.#config.queryMsMax,
      onFault,
      onArrival: (queueName) => {
        if (queueName === null) return onArrival(null);
        const channel = channels.find((one) => queueNameOf(one) === queueName);
        if (channel !== undefined) onArrival(channel);
      },
    });
  }

  async admit(): Promise<void> {}

  onTaken(): void {}

  async onRemoved(): Promise<void> {
    await this.#vacuum?.packetRemoved();
  }

  faultOf(error: unknown): unknown {
    return error;
  }

  async close(): Promise<void> {
    await Promise.all([this.#listener?.close(), this.#pool.end()]);
  }
}
