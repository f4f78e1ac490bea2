import type { TextModel } from "../artefact/text-model.ts";
import type { TokenLists } from "../text/tokenise.ts";
import type { RunAnswer, TokeniseAnswer } from "./protocol.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** What models were asked to do. Useful / padded tokens is the share of the work that was not padding. */
export interface ModelCounters {
  /** Batches and single queries that ran through a model. */
  modelCalls: number;
  texts: number;
  paddedTokens: number;
  usefulTokens: number;
}

/**
 * A model that every thread of a runtime has loaded. Its calls go into the threads' queue one by one; who makes
 * them bounds how many wait.
 */
export class OpenTextModel {
  readonly model: TextModel;
  readonly #pool: ThreadPool;
  readonly #counters: ModelCounters;

  constructor(options: { model: TextModel; pool: ThreadPool; counters: ModelCounters }) {
    this.model = options.model;
    this.#pool = options.pool;
    this.#counters = options.counters;
  }

  get threads(): number {
    return this.#pool.threads;
  }

  tokenise(texts: readonly string[], signal?: AbortSignal): Promise<TokeniseAnswer> {
    return this.#pool.run({ kind: "tokenise", model: this.model.identity, texts }, signal);
  }

  /** One batch; every length is at least 1. */
  async run(tokens: TokenLists, signal?: AbortSignal): Promise<RunAnswer> {
    return this.#count(
      await this.#pool.run({ kind: "run", model: this.model.identity, tokens }, signal),
      tokens,
    );
  }

  /** `null` for a query without tokens. */
  async query(text: string, signal?: AbortSignal): Promise<RunAnswer | null> {
    const { identity, queryPrompt } = this.model;
    const answer = await this.#pool.run(
      { kind: "query", model: identity, text, prompt: queryPrompt },
      signal,
    );
    return answer === null ? null : this.#count(answer, { lengths: [1] });
  }

  #count(answer: RunAnswer, { lengths }: { lengths: ArrayLike<number> }): RunAnswer {
    this.#counters.modelCalls++;
    this.#counters.texts += lengths.length;
    this.#counters.paddedTokens += answer.paddedTokens;
    this.#counters.usefulTokens += answer.usefulTokens;
    return answer;
  }
}
