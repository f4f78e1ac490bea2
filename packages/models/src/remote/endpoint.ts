import { type Answer, type AnswerProblem, readAnswer } from "./answer.ts";
import type { EndpointKey } from "./endpoint-key.ts";
import { networkCode, postOf, readBody } from "./post.ts";
import { askedWaitMs } from "./retry-after.ts";

/** Of an answer: a number in decimal takes some 24 characters; usage, names and white space come on top. */
const numberBytesMax = 32;
const entryBytesMax = 1_024;
const frameBytesMax = 65_536;

/**
 * Codes that OpenAI and its imitators give. No other word of an answer gets into a message: an endpoint may quote the
 * text, or the key, that it does not like.
 */
const knownCodes = new Set([
  "context_length_exceeded",
  "insufficient_quota",
  "invalid_api_key",
  "invalid_request_error",
  "model_not_found",
  "rate_limit_exceeded",
  "string_above_max_length",
  "unsupported_value",
]);

/**
 * How vectors are asked for; what comes is read either way. Base64 first: of 64 vectors with 1,536 entries, reading and
 * checking takes the main thread 0.9 ms (527 kB) instead of 8 ms (2.1 MB) in decimal, measured with Node 24.
 */
export type VectorFormat = "base64" | "float";

/** Tokens of a request without vectors. Null: none, it was refused; "unknown": it may have been worked on. */
type Paid = number | "unknown" | null;

export type Reply =
  | { readonly kind: "answered"; readonly answer: Answer }
  /** The request as it is: one of its texts, or all of it. */
  | { readonly kind: "texts_refused"; readonly format: VectorFormat; readonly message: string }
  /** Any request, until somebody changes something. */
  | { readonly kind: "refused"; readonly message: string; readonly mend: string; readonly tokens: Paid }
  /** Likely to succeed later. */
  | {
      readonly kind: "passing";
      readonly message: string;
      readonly askedWaitMs: number | null;
      readonly tokens: Paid;
    };

export interface EndpointOptions {
  /** With `/embeddings`. */
  readonly url: string;
  readonly model: string;
  readonly dimensions: number;
  readonly asksDimensions: boolean;
  readonly key: EndpointKey | null;
  readonly keyVariable: string | null;
  /** Of one request, from its first byte to the last of its answer. */
  readonly timeoutMs: number;
}

/** One request to `/embeddings` at a time: it sends, reads within bounds, and says which kind of answer that was. */
export class Endpoint {
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  /** Throws only the signal's reason. */
  async send(texts: readonly string[], format: VectorFormat, signal: AbortSignal): Promise<Reply> {
    const { url, timeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let body: string | null;
    try {
      response = await fetch(url, this.#request(texts, format, AbortSignal.any([timeout, signal])));
      const isAnswer = response.status >= 200 && response.status <= 299;
      body = await readBody(response, isAnswer ? this.#answerBytesMax(texts.length) : frameBytesMax);
    } catch (error) {
      signal.throwIfAborted();
      const what = timeout.aborted
        ? `gave no answer within ${timeoutMs} ms`
        : `can't be reached, or broke off (${networkCode(error)})`;
      return { kind: "passing", message: `${url} ${what}`, askedWaitMs: null, tokens: "unknown" };
    }
    if (response.status >= 200 && response.status <= 299) return this.#answered(body, texts.length);
    return this.#refused(response, body, format);
  }

  #request(texts: readonly string[], format: VectorFormat, signal: AbortSignal): RequestInit {
    const { model, dimensions, asksDimensions, key } = this.#options;
    const body = {
      model,
      input: texts,
      encoding_format: format,
      ...(asksDimensions ? { dimensions } : {}),
    };
    return postOf(body, key, signal);
  }

  #answerBytesMax(texts: number): number {
    return frameBytesMax + texts * (entryBytesMax + this.#options.dimensions * numberBytesMax);
  }

  #answered(body: string | null, texts: number): Reply {
    const { url, model, dimensions, asksDimensions } = this.#options;
    if (body === null) {
      const message = `${url} answers with more than the ${this.#answerBytesMax(texts)} bytes that ${texts} vectors of ${dimensions} dimensions may take`;
      return { kind: "refused", message, mend: "check url, model and dimensions", tokens: "unknown" };
    }
    const read = readAnswer(body, { texts, dimensions });
    if (read.ok) return { kind: "answered", answer: read.value };
    const problem: AnswerProblem = read.failure;
    const tokens = problem.tokens ?? "unknown";
    const message = `${url} gives an answer that can't be used: ${problem.message}`;
    if (problem.kind === "malformed") {
      return { kind: "passing", message, askedWaitMs: null, tokens };
    }
    const mend = asksDimensions
      ? `set dimensions to what ${model} can be shortened to`
      : `set dimensions to those of ${model}, or asksDimensions if the endpoint can shorten its vectors`;
    return { kind: "refused", message, mend, tokens };
  }

  #refused(response: Response, body: string | null, format: VectorFormat): Reply {
    const { url, model } = this.#options;
    const { status } = response;
    const code = knownCode(body);
    const message = `${url} answers ${status}${code === null ? "" : ` (${code})`}`;
    const refused = (mend: string): Reply => ({ kind: "refused", message, mend, tokens: null });
    if (status === 400 || status === 413 || status === 422) return { kind: "texts_refused", format, message };
    if (status === 401 || status === 403) return refused(this.#keyMend());
    if (status === 404) return refused(`check url, and that the endpoint serves the model ${model}`);
    if (status >= 300 && status <= 399)
      return refused("set url to where it redirects; redirects are not followed");
    if (code === "insufficient_quota")
      return refused("the account's quota is used up: raise it at the provider");
    if ([408, 409, 424, 425, 429].includes(status) || status >= 500) {
      return { kind: "passing", message, askedWaitMs: askedWaitMs(response.headers), tokens: null };
    }
    return refused("check url and model");
  }

  #keyMend(): string {
    const { model, keyVariable } = this.#options;
    return keyVariable === null
      ? "name the environment variable that holds the endpoint's key with keyVariable"
      : `set ${keyVariable} to a key that may use the model ${model}, then start again`;
  }
}

function knownCode(body: string | null): string | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body ?? "");
  } catch {
    return null;
  }
  const error = (parsed as { error?: { code?: unknown; type?: unknown } } | null)?.error;
  const codes = [error?.code, error?.type].filter((code) => typeof code === "string");
  return codes.find((code) => knownCodes.has(code)) ?? null;
}
