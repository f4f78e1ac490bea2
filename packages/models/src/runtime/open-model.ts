import type { Model } from "../artefact/model.ts";
import { Admission } from "./admission.ts";
import { Gatherer } from "./gatherer.ts";
import type { InputAnswer } from "./protocol.ts";
import type { Rows } from "./rows.ts";
import type { Scale } from "./scale.ts";
import type { Prepared, RunAnswer } from "./session.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** What models were asked to do. Useful / padded values is the share of the work that was not padding. */
export interface ModelCounters {
  /** Batches and single queries that ran through a model. */
  modelCalls: number;
  inputs: number;
  /** Inputs that runs were begun with: more than `inputs` where batches failed and were halved. */
  inputsTried: number;
  paddedValues: number;
  usefulValues: number;
}

/** Callers that may wait for a model at once: parts of their calls, not inputs. */
const callersWaitingMax = 4_096;
/** Added to the first row of a batch at most, while others are being prepared. */
const gatherMsMax = 20;
/** Much shorter than a caller of many rows waits, longer than their preparing takes. */
const evenAgeMs = 250;

/** A model that the threads of a runtime have loaded, where all its callers meet; or one that is only described. */
export class OpenModel {
  readonly model: Model;
  readonly scale: Scale;
  readonly loaded: boolean;
  readonly admission: Admission;
  readonly gatherer: Gatherer;
  readonly #pool: ThreadPool;
  readonly #counters: ModelCounters;

  constructor(options: {
    model: Model;
    scale: Scale;
    loaded: boolean;
    pool: ThreadPool;
    counters: ModelCounters;
  }) {
    const { model, scale, loaded, pool, counters } = options;
    this.model = model;
    this.scale = scale;
    this.loaded = loaded;
    this.#pool = pool;
    this.#counters = counters;
    this.admission = new Admission({ inputsMax: scale.inputsAdmittedMax, callersMax: callersWaitingMax });
    this.gatherer = new Gatherer({
      bounds: scale.batch,
      dimensions: model.dimensions,
      run: (rows) => this.run(rows),
      threads: () => pool.threadsWith(model.identity),
      gatherMsMax,
      evenAgeMs,
    });
  }

  prepare(inputs: readonly unknown[], signal?: AbortSignal): Promise<Prepared> {
    return this.#pool.run({ kind: "prepare", model: this.model.identity, inputs }, signal);
  }

  /** One batch; every length is at least 1. */
  async run(rows: Rows, signal?: AbortSignal): Promise<RunAnswer> {
    this.#counters.inputsTried += rows.lengths.length;
    return this.#count(
      await this.#pool.run({ kind: "run", model: this.model.identity, rows }, signal),
      rows.lengths.length,
    );
  }

  /** One input in one go, ahead of all records. */
  async query(input: unknown, signal?: AbortSignal): Promise<InputAnswer> {
    return this.#countOne(await this.#pool.run({ kind: "query", model: this.model.identity, input }, signal));
  }

  /** One record's input in one go. */
  async embed(input: unknown, signal?: AbortSignal): Promise<InputAnswer> {
    return this.#countOne(await this.#pool.run({ kind: "embed", model: this.model.identity, input }, signal));
  }

  #countOne(answer: InputAnswer): InputAnswer {
    if (answer.kind !== "ran") return answer;
    this.#counters.inputsTried++;
    this.#count(answer, 1);
    return answer;
  }

  #count(answer: RunAnswer, inputs: number): RunAnswer {
    this.#counters.modelCalls++;
    this.#counters.inputs += inputs;
    this.#counters.paddedValues += answer.paddedValues;
    this.#counters.usefulValues += answer.usefulValues;
    return answer;
  }
}
