import { availableParallelism } from "node:os";
import type { Encoder } from "@medley/core";
import type { Environment } from "../artefact/locate.ts";
import type { ModelLock } from "../artefact/lock.ts";
import { readTextModel } from "../artefact/text-model.ts";
import { TextEncoder, windowTextsMax } from "../text/text-encoder.ts";
import { Admission } from "./admission.ts";
import { type ModelCounters, OpenModel } from "./open-model.ts";
import { ThreadPool } from "./thread-pool.ts";

/** Texts in the queue and the threads at once: two full windows. Their tokens take 4 MB at 512 each. */
const textsAdmittedMax = 2 * windowTextsMax;
const callersWaitingMax = 1_024;
const queriesMax = 64;

export interface ModelRuntimeOptions {
  /** Session threads, each with its own copy of every model. Default: the cores this process may use. */
  readonly threads?: number;
  /** Where the hub's cache is. */
  readonly environment: Environment;
  /** Pins the models of the hub. Default: none is pinned, so only bundled models and folders are loaded. */
  readonly lock?: ModelLock;
}

/**
 * Owns the session threads of a process and the models in them. Encoders of one model share it; nothing of a model
 * ever runs on the calling thread. `close` lets what was begun end, then ends the threads.
 */
export class ModelRuntime implements AsyncDisposable {
  readonly #pool: ThreadPool;
  readonly #environment: Environment;
  readonly #lock: ModelLock | undefined;
  /** By identity. */
  readonly #opened = new Map<string, Promise<void>>();
  readonly #counters: ModelCounters = { modelCalls: 0, inputs: 0, paddedValues: 0, usefulValues: 0 };
  readonly #admission = new Admission({ textsMax: textsAdmittedMax, callersMax: callersWaitingMax });
  readonly #queryAdmission = new Admission({ textsMax: queriesMax, callersMax: callersWaitingMax });

  constructor(options: ModelRuntimeOptions) {
    this.#environment = options.environment;
    this.#lock = options.lock;
    this.#pool = new ThreadPool({
      threads: options.threads ?? availableParallelism(),
      jobsMax: textsAdmittedMax + queriesMax,
      program: new URL("./session-thread.ts", import.meta.url),
    });
  }

  /** Work done since the runtime opened, by all of its encoders together. */
  get counters(): Readonly<ModelCounters> {
    return { ...this.#counters };
  }
  get threads(): number {
    return this.#pool.threads;
  }

  /** Throws `model_not_found`, `model_damaged` or `model_unsupported`. See `locateModel` for what a name may be. */
  async textEncoder(model: string): Promise<Encoder<string, string>> {
    const open = await this.textModel(model);
    return new TextEncoder({ model: open, admission: this.#admission, queryAdmission: this.#queryAdmission });
  }

  /** The model below an encoder, for callers that prepare and batch themselves. */
  async textModel(name: string): Promise<OpenModel> {
    const model = await readTextModel(name, this.#environment, { lock: this.#lock });
    let opening = this.#opened.get(model.identity);
    if (opening === undefined) {
      opening = this.#pool.open(model);
      this.#opened.set(model.identity, opening);
      opening.catch(() => this.#opened.delete(model.identity));
    }
    await opening;
    return new OpenModel({ model, pool: this.#pool, counters: this.#counters });
  }

  async close(): Promise<void> {
    this.#opened.clear(); // So that asking for a model again is refused by the pool.
    await this.#pool.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Threads start with the first model. */
export function openModelRuntime(options: ModelRuntimeOptions): ModelRuntime {
  return new ModelRuntime(options);
}
