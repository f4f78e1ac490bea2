import pg from "pg";
import { Bell } from "../../bell.ts";

export interface ArrivalListenerOptions {
  readonly connectionString: string;
  readonly connectMsMax: number;
  /** With the queue's name; null: any queue may have got something. */
  readonly onArrival: (queueName: string | null) => void;
  readonly onFault: (error: unknown) => void;
}

const reconnectPauseMs = 2_000;

/**
 * Hears BullMQ's notifications of added jobs over a connection of its own, which it opens again when it breaks. On PGlite,
 * whose clients share one session, a notification goes to the client that caused it, so nothing is heard here.
 */
export class ArrivalListener {
  readonly #options: ArrivalListenerOptions;
  readonly #closing = new Bell();
  readonly #running: Promise<void>;
  #client: pg.Client | null = null;
  #connected = false;
  #closed = false;

  constructor(options: ArrivalListenerOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.ring();
    if (this.#connected) await this.#client?.end().catch(() => {});
    // To end a client that is still connecting would leave its `connect` waiting for ever.
    else this.#client?.connection.stream.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#listen();
      } catch (error) {
        if (!this.#closed) this.#options.onFault(error);
      }
      await this.#closing.wait(reconnectPauseMs);
    }
  }

  /** Until the connection ends; rejects where it ends by a fault. */
  async #listen(): Promise<void> {
    const { connectionString, connectMsMax, onArrival } = this.#options;
    const client = new pg.Client({
      connectionString,
      connectionTimeoutMillis: connectMsMax,
      keepAlive: true,
    });
    const ended = Promise.withResolvers<void>();
    // Looked at only below, and a connection that breaks before has its own rejection.
    ended.promise.catch(() => {});
    client.on("error", ended.reject);
    client.on("end", ended.resolve);
    client.on("notification", ({ payload }) => onArrival(payload ?? null));
    this.#client = client;
    try {
      await client.connect();
      this.#connected = true;
      if (this.#closed) return;
      await client.query("listen bullmq_jobs");
      // What was added while nobody listened.
      onArrival(null);
      await ended.promise;
    } finally {
      if (this.#connected) await client.end().catch(() => {});
      this.#connected = false;
    }
  }
}
