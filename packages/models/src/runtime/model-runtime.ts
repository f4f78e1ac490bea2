import { strict as assert } from "node:assert";
import { availableParallelism } from "node:os";
import { type Classifier, type Encoder, MedleyError, parseContent, succeed } from "@medley/core";
import { type AudioModelOptions, readAudioModel } from "../artefact/audio-model.ts";
import { readImageModel } from "../artefact/image-model.ts";
import type { Environment } from "../artefact/locate.ts";
import type { ModelLock } from "../artefact/lock.ts";
import type { Matryoshka } from "../artefact/matryoshka.ts";
import type { Model } from "../artefact/model.ts";
import { readTextModel } from "../artefact/text-model.ts";
import type { ContentReader } from "../content/content-reader.ts";
import { readClassifier } from "../trained/classifier.ts";
import {
  readTrainedModel,
  type TrainedModelDescription,
  type TrainedSpaceOptions,
  tunedModel,
} from "../trained/trained-model.ts";
import { Admission } from "./admission.ts";
import type { Device } from "./device.ts";
import { ModelEncoder } from "./model-encoder.ts";
import { type ModelCounters, OpenModel } from "./open-model.ts";
import { scaleOf } from "./scale.ts";
import { ThreadPool } from "./thread-pool.ts";

/** Far above what all models' admissions let in together. */
const jobsMax = 65_536;
const callersWaitingMax = 1_024;
const queriesMax = 64;

/** What an encoder is asked for beside its model's name. */
export interface EncoderOptions {
  /** The `collection.space` whose artefact takes the model's place. Default: the model as it is. */
  readonly tuned?: string | undefined;
  /** Pins in place of the runtime's own: of another generation of rows. */
  readonly lock?: ModelLock | undefined;
}

type Source = [name: string, environment: Environment, options: { lock: ModelLock | undefined }];

export interface ModelRuntimeOptions {
  /** Session threads. Default: the cores this process may use; one on a GPU, which runs one batch at a time. */
  readonly threads?: number;
  /** Default `cpu`. */
  readonly device?: Device;
  /** Of all models in all threads together; the first copy of a model is always loaded. Default: no bound. */
  readonly memoryBytesMax?: number;
  /**
   * False: models are described, so that their encoders know dimensions and identity, and not loaded; to encode is then a
   * programmer's error. Default true.
   */
  readonly loads?: boolean;
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
  readonly device: Device;
  readonly #pool: ThreadPool;
  readonly #environment: Environment;
  readonly #lock: ModelLock | undefined;
  readonly #loads: boolean;
  /** By identity. */
  readonly #opened = new Map<string, Promise<OpenModel>>();
  readonly #counters: ModelCounters = {
    modelCalls: 0,
    inputs: 0,
    inputsTried: 0,
    paddedValues: 0,
    usefulValues: 0,
  };
  readonly #queryAdmission = new Admission({ inputsMax: queriesMax, callersMax: callersWaitingMax });

  constructor(options: ModelRuntimeOptions) {
    const { device = "cpu", threads, memoryBytesMax } = options;
    this.device = device;
    this.#environment = options.environment;
    this.#lock = options.lock;
    this.#loads = options.loads ?? true;
    this.#pool = new ThreadPool({
      threads: threads ?? (device === "cpu" ? availableParallelism() : 1),
      jobsMax,
      program: new URL("./session-thread.ts", import.meta.url),
      device,
      ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
    });
  }

  /** Work done since the runtime opened, by all of its encoders together. */
  get counters(): Readonly<ModelCounters> {
    return { ...this.#counters };
  }
  /** Whether it can encode, see `ModelRuntimeOptions`. */
  get loads(): boolean {
    return this.#loads;
  }
  get threads(): number {
    return this.#pool.threads;
  }
  /** Whether every model that was opened is held by a thread. */
  get ready(): boolean {
    return this.#opened.keys().every((identity) => this.#pool.threadsWith(identity) > 0);
  }

  /**
   * Throws `model_not_found`, `model_damaged` or `model_unsupported`. See `locateModel` for what a name may be.
   */
  async textEncoder(name: string, { tuned, ...pins }: EncoderOptions = {}): Promise<Encoder<string, string>> {
    const source = this.#source(name, tuned, pins.lock);
    const model = await this.#open(await readTextModel(...source));
    return new ModelEncoder<string>({
      model,
      classifier: await classifierOf(tuned, source, model),
      queryAdmission: this.#queryAdmission,
      inputOf: async (text) => succeed(text),
      queryValueOf: textQuery,
    });
  }

  /**
   * Pictures are read by `content`, which is the caller's to close. `output`: see `readImageModel`. Throws as
   * `textEncoder` does.
   */
  async imageEncoder(
    name: string,
    {
      output,
      tuned,
      content,
      ...pins
    }: EncoderOptions & { output?: string | undefined; content: ContentReader },
  ): Promise<Encoder> {
    const source = this.#source(name, tuned, pins.lock);
    const [folder, environment, lock] = source;
    const model = await this.#open(await readImageModel(folder, environment, { output, ...lock }));
    const classifier = await classifierOf(tuned, source, model);
    return this.#contentEncoder(model, content, classifier);
  }

  /** Clips likewise. `secondsMax`: what is longer is cut. */
  async audioEncoder(
    name: string,
    {
      content,
      tuned,
      lock: pins,
      ...options
    }: Omit<AudioModelOptions, "lock"> & EncoderOptions & { content: ContentReader },
  ): Promise<Encoder> {
    const source = this.#source(name, tuned, pins);
    const [folder, environment, lock] = source;
    const model = await this.#open(await readAudioModel(folder, environment, { ...options, ...lock }));
    const classifier = await classifierOf(tuned, source, model);
    return this.#contentEncoder(model, content, classifier);
  }

  /** The encoder of a trained space, by the artefact that the lock pins for it. Throws as `readTrainedModel` does. */
  async trainedEncoder({
    lock = this.#lock,
    ...options
  }: Omit<TrainedSpaceOptions, "lock"> & Pick<EncoderOptions, "lock">): Promise<Encoder> {
    return this.openTrained(await readTrainedModel({ ...options, lock }));
  }

  /** Likewise, of an artefact that was read already. */
  async openTrained(model: TrainedModelDescription): Promise<Encoder> {
    return new ModelEncoder<unknown>({
      model: await this.#open(model),
      queryAdmission: this.#queryAdmission,
      inputOf: async (value) => succeed(value),
      // Checked by the session, which has the model's vocabulary.
      queryValueOf: (query) => query,
    });
  }

  #contentEncoder(model: OpenModel, content: ContentReader, classifier: Classifier | undefined): Encoder {
    return new ModelEncoder<string>({
      model,
      classifier,
      queryAdmission: this.#queryAdmission,
      inputOf: (value, signal) => content.read(value, signal),
      queryValueOf: contentQuery,
    }) as Encoder;
  }

  /** Where a model is read from: of a tuned space (`collection.space`) its artefact, which is a folder like any other. */
  #source(name: string, tuned: string | undefined, lock: ModelLock | undefined = this.#lock): Source {
    if (tuned === undefined) return [name, this.#environment, { lock }];
    const artefact = tunedModel(tuned, lock);
    return [artefact.name, this.#environment, { lock: artefact.lock }];
  }

  /** To how many first dimensions a text model's vectors may be cut, as its files or its name say. Throws as `textEncoder` does. */
  async matryoshka(
    name: string,
    { lock = this.#lock }: Pick<EncoderOptions, "lock"> = {},
  ): Promise<Matryoshka> {
    return (await readTextModel(name, this.#environment, { lock })).matryoshka;
  }

  /** The model below an encoder, for callers that prepare and batch themselves. */
  async textModel(name: string): Promise<OpenModel> {
    return this.#open(await readTextModel(name, this.#environment, { lock: this.#lock }));
  }

  async #open(model: Model): Promise<OpenModel> {
    const { identity } = model;
    let opening = this.#opened.get(identity);
    if (opening === undefined) {
      const scale = scaleOf(model, { device: this.device, threads: this.threads });
      const loaded = this.#loads;
      opening = (loaded ? this.#pool.open(model) : Promise.resolve()).then(
        () => new OpenModel({ model, scale, loaded, pool: this.#pool, counters: this.#counters }),
      );
      this.#opened.set(identity, opening);
      opening.catch(() => this.#opened.delete(identity));
    }
    return opening;
  }

  /** Frees the memory of a model that no encoder is used of any more. */
  async unload(identity: string): Promise<void> {
    if (this.#opened.delete(identity)) await this.#pool.unload(identity);
  }

  async close(): Promise<void> {
    this.#opened.clear(); // So that asking for a model again is refused by the pool.
    await this.#pool.close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The classifier in a tuned model's folder; a model that is not tuned has none. */
async function classifierOf(
  tuned: string | undefined,
  [name, environment, lock]: Source,
  { model }: OpenModel,
): Promise<Classifier | undefined> {
  if (tuned === undefined) return undefined;
  const { kind, dimensions } = model;
  assert(kind !== "trained", "a tuned model is laid out as a pre-trained one");
  return (await readClassifier(name, environment, { ...lock, kind, dimensions })) ?? undefined;
}

function textQuery(query: unknown): string {
  if (typeof query === "string") return query;
  throw new MedleyError("query_invalid", `a text space is searched with a string, not ${typeof query}`);
}

function contentQuery(query: unknown): string {
  const parsed = parseContent(query);
  if (parsed.ok) return parsed.value;
  throw new MedleyError("query_invalid", `the query ${parsed.failure}`);
}

/** Threads start with the first model. */
export function openModelRuntime(options: ModelRuntimeOptions): ModelRuntime {
  return new ModelRuntime(options);
}
