import { strict as assert } from "node:assert";
import {
  type EncodeFailure,
  type EncodeResult,
  type Encoder,
  fail,
  MedleyError,
  succeed,
} from "@medley/core";
import type { Admission } from "../runtime/admission.ts";
import type { OpenModel } from "../runtime/open-model.ts";
import { type Rows, selectRows, splitRows } from "../runtime/rows.ts";
import { batchesByLength } from "./batches.ts";

/** Texts that are sorted by length together: more pad less, and take longer until the first is done. */
export const windowTextsMax = 1_024;
/** Texts per tokenising job: small enough that all threads take part. */
const tokeniseTextsMax = 32;
/**
 * Measured at 256, 384, 512, 1,024 and 2,048: 512 is the fastest on a CPU (the hidden states stay in its cache), and it
 * holds a thread, and with it a waiting search, for less than 0.1 s.
 */
export const batchBounds = { paddedTokensMax: 512, batchTextsMax: 64 };

/**
 * The segments of a text space: the model's vector of each text, or all zero for a text that holds no token (empty,
 * whitespace, control characters): it says nothing. A long text is cut at the model's limit.
 */
export class TextEncoder implements Encoder<string, string> {
  readonly usesModel = true;
  readonly #model: OpenModel;
  readonly #admission: Admission;
  readonly #queryAdmission: Admission;

  constructor(options: { model: OpenModel; admission: Admission; queryAdmission: Admission }) {
    this.#model = options.model;
    this.#admission = options.admission;
    this.#queryAdmission = options.queryAdmission;
  }

  get dimensions(): number {
    return this.#model.model.dimensions;
  }
  get identity(): string {
    return this.#model.model.identity;
  }

  async encode(texts: readonly string[], signal?: AbortSignal): Promise<readonly EncodeResult[]> {
    const results: EncodeResult[] = [];
    for (let start = 0; start < texts.length; start += windowTextsMax) {
      const window = texts.slice(start, start + windowTextsMax);
      results.push(...(await this.#encodeWindow(window, signal)));
    }
    assert.equal(results.length, texts.length);
    return results;
  }

  /** Throws `query_invalid`, `encoder_failed` or `encoder_unavailable`. Goes ahead of all records that wait. */
  async encodeQuery(query: string, signal?: AbortSignal): Promise<Float32Array> {
    if (typeof query !== "string") {
      throw new MedleyError("query_invalid", `a text space is searched with a string, not ${typeof query}`);
    }
    const answer = await this.#queryAdmission.enter(1, () => this.#model.query(query, signal), signal);
    if (answer === null) return new Float32Array(this.dimensions);
    if (answer.failed.length > 0) throw new MedleyError("encoder_failed", notFinite(this.#model.model.name));
    return answer.vectors;
  }

  async #encodeWindow(texts: readonly string[], signal?: AbortSignal): Promise<EncodeResult[]> {
    // All zero until it is known better: the segment of a text without tokens, which is in no batch.
    const results = texts.map((): EncodeResult => succeed(new Float32Array(this.dimensions)));
    const work = async () => {
      const { tokens, failures } = await this.#tokenise(texts, signal);
      const lengths = tokens.map((ids) => ids.length);
      for (const [index, failure] of failures) results[index] = fail(failure);
      const batches = batchesByLength(lengths, batchBounds);
      await Promise.all(batches.map((batch) => this.#run(batch, tokens, results, signal)));
    };
    try {
      await this.#admission.enter(texts.length, work, signal);
    } catch (error) {
      signal?.throwIfAborted();
      const failure = failureOf(error);
      return texts.map(() => fail(failure));
    }
    return results;
  }

  /** Ids of each text (views, not copies), and what kept a text from having any. */
  async #tokenise(
    texts: readonly string[],
    signal?: AbortSignal,
  ): Promise<{ tokens: Int32Array[]; failures: [number, EncodeFailure][] }> {
    const tokens: Int32Array[] = [];
    const failures: [number, EncodeFailure][] = [];
    const starts = Array.from(
      { length: Math.ceil(texts.length / tokeniseTextsMax) },
      (_, i) => i * tokeniseTextsMax,
    );
    const answers = await Promise.all(
      starts.map((start) => this.#model.prepare(texts.slice(start, start + tokeniseTextsMax), signal)),
    );
    answers.forEach((answer, part) => {
      const start = starts[part] as number;
      for (const { index, message } of answer.failures) {
        failures.push([start + index, { code: "encoder_failed", message }]);
      }
      tokens.push(...splitRows(answer as Rows<Int32Array>));
    });
    return { tokens, failures };
  }

  /** Writes each text's result. A batch that throws is run again text by text, so the fault stays with one. */
  async #run(
    batch: readonly number[],
    tokens: readonly Int32Array[],
    results: EncodeResult[],
    signal?: AbortSignal,
  ): Promise<void> {
    const { dimensions } = this;
    try {
      const { vectors, failed } = await this.#model.run(selectRows(tokens, batch), signal);
      batch.forEach((index, row) => {
        results[index] = succeed(vectors.slice(row * dimensions, (row + 1) * dimensions));
      });
      for (const row of failed) {
        const failure = { code: "encoder_failed", message: notFinite(this.#model.model.name) } as const;
        results[batch[row] as number] = fail(failure);
      }
    } catch (error) {
      signal?.throwIfAborted();
      const failure = failureOf(error);
      const alone = batch.length === 1 || failure.code === "encoder_unavailable";
      if (alone) for (const index of batch) results[index] = fail(failure);
      else for (const index of batch) await this.#run([index], tokens, results, signal);
    }
  }
}

function failureOf(error: unknown): EncodeFailure {
  if (!(error instanceof MedleyError)) throw error; // A bug: crash, don't guess.
  const { message, mend } = error;
  if (error.retryable) return { code: "encoder_unavailable", message };
  return { code: "encoder_failed", message, ...(mend === undefined ? {} : { mend }) };
}

function notFinite(model: string): string {
  return `the model ${model} gave a vector that is not finite, or all zero`;
}
