import { strict as assert } from "node:assert";
import { type EncodeResult, type Encoder, fail, identityOf, MedleyError, succeed } from "@medley/core";
import type { RemoteResult } from "./exchange.ts";
import { type RequestQueue, recordTextsMax } from "./request-queue.ts";

/** Texts of one call that wait at once, so that a large call leaves room for others. */
const windowTextsMax = recordTextsMax / 4;

export interface RemoteEncoderOptions {
  readonly queue: RequestQueue;
  readonly model: string;
  readonly dimensions: number;
  readonly passagePrompt: string;
  readonly queryPrompt: string;
  readonly close: () => Promise<void>;
}

/**
 * The segments of a remote space: the endpoint's vector of each text, scaled to unit length, or all zero for a text that
 * is empty or white space: it says nothing, and costs no request.
 */
export class RemoteEncoder implements Encoder<string, string>, AsyncDisposable {
  readonly usesModel = true;
  readonly identity: string;
  readonly #options: RemoteEncoderOptions;

  constructor(options: RemoteEncoderOptions) {
    this.#options = options;
    const { model, dimensions, passagePrompt } = options;
    // Not the address: the same model behind another one gives the same vectors, so moving from a provider to a server of
    // one's own must not cost an encoding of everything. Not `asksDimensions`: a vector that has come with `dimensions`
    // entries is the model's vector of that length, asked for or not. Not the search's prompt: no record has it.
    this.identity = identityOf({ encoder: "remote", algorithm: 1, model, dimensions, passagePrompt });
  }

  get dimensions(): number {
    return this.#options.dimensions;
  }

  async encode(texts: readonly string[], signal?: AbortSignal): Promise<readonly EncodeResult[]> {
    const results: EncodeResult[] = [];
    for (let start = 0; start < texts.length; start += windowTextsMax) {
      results.push(...(await this.#encodeWindow(texts.slice(start, start + windowTextsMax), signal)));
    }
    assert.equal(results.length, texts.length);
    return results;
  }

  /** Throws `query_invalid`, `encoder_failed` or `encoder_unavailable`. Goes ahead of all records that wait. */
  async encodeQuery(query: string, signal?: AbortSignal): Promise<Float32Array> {
    if (typeof query !== "string") {
      throw new MedleyError(
        "query_invalid",
        `a remote space is searched with a string, not ${typeof query}`,
        {
          mend: "give the text to search for",
        },
      );
    }
    signal?.throwIfAborted();
    if (saysNothing(query)) return new Float32Array(this.dimensions);
    const { queue, queryPrompt } = this.#options;
    const [result] = await queue.embed([queryPrompt + query], { ahead: true, signal });
    assert(result !== undefined);
    if (result.ok) return result.value;
    const { code, message, mend } = result.failure;
    throw new MedleyError(code, message, { mend });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.close();
  }

  async #encodeWindow(texts: readonly string[], signal?: AbortSignal): Promise<EncodeResult[]> {
    signal?.throwIfAborted();
    const { queue, passagePrompt, dimensions } = this.#options;
    const results = texts.map((): EncodeResult => succeed(new Float32Array(dimensions)));
    const said = [...texts.keys()].filter((index) => !saysNothing(texts[index] as string));
    const prompted = said.map((index) => passagePrompt + texts[index]);
    const answers = await queue.embed(prompted, { ahead: false, signal });
    for (const [place, index] of said.entries())
      results[index] = encodeResult(answers[place] as RemoteResult);
    return results;
  }
}

function saysNothing(text: string): boolean {
  return text.trim() === "";
}

function encodeResult(result: RemoteResult): EncodeResult {
  if (result.ok) return result;
  const { code, message, mend } = result.failure;
  // A passing failure has no mend of its own, but a wrong key does not pass unless somebody reads what to do.
  return fail(code === "encoder_failed" ? { code, message, mend } : { code, message: `${message}; ${mend}` });
}
