import type { Model } from "../artefact/model.ts";
import type { Rows } from "./rows.ts";
import type { Prepared, RunAnswer } from "./session.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** What models were asked to do. Useful / padded values is the share of the work that was not padding. */
export interface ModelCounters {
  /** Batches and single queries that ran through a model. */
  modelCalls: number;
  inputs: number;
  paddedValues: number;
  usefulValues: number;
}

/**
 * A model that every thread of a runtime has loaded. Its calls go into the threads' queue one by one; who makes
 * them bounds how many wait.
 */
export class OpenModel {
  readonly model: Model;
  readonly #pool: ThreadPool;
  readonly #counters: ModelCounters;

  constructor(options: { model: Model; pool: ThreadPool; counters: ModelCounters }) {
    this.model = options.model;
    this.#pool = options.pool;
    this.#counters = options.counters;
  }

  get threads(): number {
    return this.#pool.threads;
  }

  prepare(inputs: readonly unknown[], signal?: AbortSignal): Promise<Prepared> {
    return this.#pool.run({ kind: "prepare", model: this.model.identity, inputs }, signal);
  }

  /** One batch; every length is at least 1. */
  async run(rows: Rows, signal?: AbortSignal): Promise<RunAnswer> {
    return this.#count(await this.#pool.run({ kind: "run", model: this.model.identity, rows }, signal), rows);
  }

  /** `null` for a query that says nothing. */
  async query(input: unknown, signal?: AbortSignal): Promise<RunAnswer | null> {
    const answer = await this.#pool.run({ kind: "query", model: this.model.identity, input }, signal);
    return answer === null ? null : this.#count(answer, { lengths: [1] });
  }

  #count(answer: RunAnswer, { lengths }: { lengths: ArrayLike<number> }): RunAnswer {
    this.#counters.modelCalls++;
    this.#counters.inputs += lengths.length;
    this.#counters.paddedValues += answer.paddedValues;
    this.#counters.usefulValues += answer.usefulValues;
    return answer;
  }
}
