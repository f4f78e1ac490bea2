import { Worker } from "node:worker_threads";
import { MedleyError } from "@medley/core";
import { startAutovacuum } from "./autovacuum.ts";
import { takeDataFolder } from "./data-folder.ts";
import type { EngineThreadEvent, EngineThreadInput } from "./engine-thread.ts";

export interface EmbeddedPostgres {
  readonly connectionString: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Made where there is none. One process at a time. */
  readonly dataDir: string;
  /** On 127.0.0.1, without a password; 0 takes a free one. */
  readonly port: number;
  /** The engine failed inside a statement and is started again: `restart` of `restartsMax`. */
  readonly onFault?: (fault: { reason: string; restart: number }) => void;
  readonly idleInTransactionMsMax?: number;
}

/** In the life of one `openEmbeddedPostgres`: a statement that fails the engine each time must not restart it for ever. */
const restartsMax = 20;
const closeMsMax = 10_000;

/**
 * Postgres with pgvector in a thread of this process, its data on disk, served on loopback.
 *
 * What an acknowledged statement wrote survives the death of the process (the engine does not wait for the disk itself,
 * so a power cut may cost the last moments). All clients share one Postgres session: a transaction of one makes the
 * others wait, settings and temporary tables are everyone's, NOTIFY does not reach other clients. An engine that fails
 * inside a statement is replaced by a new one on the same files and port; connections break and can be made again.
 *
 * Throws `MedleyError` `port_taken`, `data_in_use`, `data_not_writable` or `data_too_new`.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = takeDataFolder(options.dataDir);
  try {
    const supervisor = new EngineSupervisor(folder.engineFolder, options);
    const port = await supervisor.start();
    folder.markReady();
    const connectionString = `postgresql://postgres@127.0.0.1:${port}/postgres`;
    const autovacuum = startAutovacuum(connectionString);
    return {
      port,
      connectionString,
      async close() {
        await autovacuum.stop();
        await supervisor.close();
        folder.release();
      },
    };
  } catch (error) {
    folder.release();
    throw error;
  }
}

/** Keeps one engine thread running. States: starting -> listening -> (faulted -> starting)*; closed is final. */
class EngineSupervisor {
  readonly #folder: string;
  readonly #options: EmbeddedPostgresOptions;
  #worker: Worker | null = null;
  #starting: Promise<number> | null = null;
  #restarts = 0;
  #closed = false;

  constructor(folder: string, options: EmbeddedPostgresOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  start(): Promise<number> {
    return this.#launch(this.#options.port);
  }

  async close(): Promise<void> {
    this.#closed = true;
    // A restart under way is waited for, so that its thread can't outlive the lock.
    await this.#starting?.catch(() => {});
    const worker = this.#worker;
    if (worker === null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    // What an engine that does not close in time has acknowledged is on disk all the same.
    const timer = setTimeout(resolve, closeMsMax);
    worker.on("message", resolve).on("exit", resolve);
    worker.postMessage("close");
    await promise;
    clearTimeout(timer);
    await worker.terminate();
  }

  async #launch(port: number): Promise<number> {
    const input: EngineThreadInput = {
      folder: this.#folder,
      port,
      idleInTransactionMsMax: this.#options.idleInTransactionMsMax ?? 10_000,
    };
    const worker = new Worker(new URL("./engine-thread.ts", import.meta.url), { workerData: input });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("the engine thread ended")));
    worker.on("message", (event: EngineThreadEvent) => {
      if (event.kind === "listening") resolve(event.port);
      if (event.kind === "refused") reject(refusal(event));
    });
    this.#worker = worker;
    try {
      const listeningPort = await promise;
      this.#watch(worker, listeningPort);
      return listeningPort;
    } catch (error) {
      this.#worker = null;
      await worker.terminate();
      throw error;
    }
  }

  #watch(worker: Worker, port: number): void {
    let failed = false;
    const replace = (reason: string) => {
      if (failed || this.#closed) return;
      failed = true;
      this.#starting = this.#replace(worker, port, reason);
      // Without an engine, connections are refused: the store says so, to whoever asks.
      this.#starting.catch(() => {});
    };
    worker.on("error", (error) => replace(error.message));
    worker.on("exit", () => replace("the engine thread ended"));
    worker.on("message", (event: EngineThreadEvent) => {
      if (event.kind === "faulted") replace(event.reason);
    });
  }

  async #replace(worker: Worker, port: number, reason: string): Promise<number> {
    this.#restarts++;
    this.#options.onFault?.({ reason, restart: this.#restarts });
    await worker.terminate();
    this.#worker = null;
    if (this.#restarts > restartsMax) throw new Error(`the engine failed ${this.#restarts} times`);
    return this.#launch(port);
  }
}

function refusal({ message, mend }: { message: string; mend: string | undefined }): MedleyError {
  return new MedleyError("port_taken", message, mend === undefined ? {} : { mend });
}
