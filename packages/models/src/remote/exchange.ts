import { type EncodeFailure, fail, MedleyError, type Result } from "@medley/core";
import type { Account } from "./account.ts";
import type { Endpoint, Reply, VectorFormat } from "./endpoint.ts";
import { retryWaitMs } from "./retry-after.ts";
import { Slots } from "./slots.ts";
import type { Time } from "./time.ts";
import { estimatedTokens } from "./token-estimate.ts";

/** Attempts of one request, and the time within which the last of them begins. A search can't wait for long. */
const recordRetries = { attemptsMax: 5, totalMsMax: 120_000, admitMsMax: 300_000 };
const queryRetries = { attemptsMax: 3, totalMsMax: 10_000, admitMsMax: 10_000 };
/** How long nothing is sent after the endpoint has refused any request, or has failed all attempts of one. */
const circuitMs = 10_000;
/** A text that no endpoint has a reason to refuse. */
const probeText = "probe";

export interface RemoteFailure {
  readonly code: EncodeFailure["code"];
  readonly message: string;
  readonly mend: string;
}
export type RemoteResult = Result<Float32Array, RemoteFailure>;

export interface ExchangeOptions {
  readonly endpoint: Endpoint;
  readonly account: Account;
  readonly time: Time;
  readonly random: () => number;
  readonly requestsInFlightMax: number;
  readonly batchTextsMax: number;
  readonly tokensMax: number | null;
}

interface Call {
  /** Searches go ahead of records. */
  readonly ahead: boolean;
  readonly signal: AbortSignal;
}

type Settled =
  | Exclude<Reply, { kind: "passing" | "refused" }>
  | { kind: "unavailable"; failure: RemoteFailure };

/**
 * What it takes to have a batch embedded: rate limits, budget, retries, and whose fault a refusal is.
 *
 * States: *untrusted* at first, and after a lone text was refused; *trusted* after an answer; *open* (the circuit) for
 * `circuitMs` after a refusal of any request or after the last attempt of one. While untrusted, a refused batch is not
 * held against its texts before the endpoint has taken a probe: an endpoint that refuses everything, for a wrong model
 * name or an option it does not know, must not make dead letters of all records. Trusted, a refused batch is halved until
 * the texts at fault stand alone: at most 2·log2(n) + 1 requests for one of them.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #slots: Slots;
  #batchTextsMax: number;
  #isTrusted = false;
  #format: VectorFormat = "base64";
  #probing: Promise<Settled> | null = null;
  #open: { untilMs: number; failure: RemoteFailure } | null = null;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#slots = new Slots(options.requestsInFlightMax);
    this.#batchTextsMax = options.batchTextsMax;
  }

  /** Falls where the endpoint has refused a batch of which it took both halves whole. */
  get batchTextsMax(): number {
    return this.#batchTextsMax;
  }

  /** One result per text, in order. Throws only the signal's reason. */
  async embed(texts: readonly string[], call: Call): Promise<readonly RemoteResult[]> {
    const reply = await this.#request(texts, call);
    if (reply.kind === "unavailable") return texts.map(() => fail(reply.failure));
    if (reply.kind === "answered") return reply.answer.vectors.map((vector) => this.#resultOf(vector));
    if (!this.#isTrusted) {
      const probe = await this.#probe(call);
      if (probe.kind === "unavailable") return texts.map(() => fail(probe.failure));
    }
    if (reply.format !== this.#format) return this.embed(texts, call); // Only once: floats are for good.
    if (texts.length > 1) return this.#embedHalves(texts, call);
    this.#isTrusted = false;
    const mend = "shorten the text to what the model takes, or leave the field out";
    return [fail({ code: "encoder_failed", message: `${reply.message} to this text alone`, mend })];
  }

  async #embedHalves(texts: readonly string[], call: Call): Promise<readonly RemoteResult[]> {
    const middle = Math.ceil(texts.length / 2);
    const left = await this.embed(texts.slice(0, middle), call);
    const right = await this.embed(texts.slice(middle), call);
    const results = [...left, ...right];
    // No text is at fault, so the batch was too large (TEI takes 32 by default): don't make the same mistake again.
    if (results.every((result) => result.ok)) this.#batchTextsMax = Math.min(this.#batchTextsMax, middle);
    return results;
  }

  #resultOf(vector: Result<Float32Array, string>): RemoteResult {
    if (vector.ok) return vector;
    const message = `${this.#options.endpoint.url} gave ${vector.failure}`;
    return fail({ code: "encoder_failed", message, mend: "change the text, or use another model" });
  }

  /** Whether the endpoint takes any text at all, and whether it takes "base64" (not all do). One at a time. */
  async #probe(call: Call): Promise<Settled> {
    this.#probing ??= this.#probeOnce(call).finally(() => {
      this.#probing = null;
    });
    try {
      return await this.#probing;
    } catch (error) {
      // Another batch's probe, given up with that batch: this one needs its own.
      call.signal.throwIfAborted();
      if (error instanceof Error && error.name === "AbortError") return this.#probe(call);
      throw error;
    }
  }

  async #probeOnce(call: Call): Promise<Settled> {
    let reply = await this.#request([probeText], call);
    if (reply.kind === "texts_refused" && this.#format === "base64") {
      reply = await this.#request([probeText], call, "float");
      if (reply.kind === "answered") this.#format = "float";
    }
    if (reply.kind !== "texts_refused") return reply;
    const mend = "check model, dimensions and asksDimensions against what the endpoint serves";
    const failure: RemoteFailure = {
      code: "encoder_unavailable",
      message: `${reply.message} to every request, whatever the text`,
      mend,
    };
    this.#openCircuit(failure);
    return { kind: "unavailable", failure };
  }

  /** Attempts until an answer or a refusal. */
  async #request(texts: readonly string[], call: Call, format = this.#format): Promise<Settled> {
    const { time, random, account, endpoint } = this.#options;
    const retries = call.ahead ? queryRetries : recordRetries;
    let firstMs: number | null = null;
    for (let attempt = 1; ; attempt++) {
      const stopped = this.#stopped();
      if (stopped !== null) return { kind: "unavailable", failure: stopped };
      const refused = await this.#admit(texts, { ...call, waitMsMax: retries.admitMsMax });
      if (refused !== null) return { kind: "unavailable", failure: refused };
      firstMs ??= time.nowMs();
      const reply = await this.#slots.run(call.ahead, call.signal, () =>
        this.#attempt(texts, format, call.signal),
      );
      if (reply.kind === "unavailable") return reply;
      if (reply.kind === "answered") this.#isTrusted = true;
      if (reply.kind === "refused") {
        const failure = { code: "encoder_unavailable", message: reply.message, mend: reply.mend } as const;
        this.#openCircuit(failure);
        return { kind: "unavailable", failure };
      }
      if (reply.kind !== "passing") return reply;
      if (reply.askedWaitMs !== null) account.pause(reply.askedWaitMs);
      const waitMs = retryWaitMs(attempt, reply.askedWaitMs, random);
      const ranMs = time.nowMs() - firstMs;
      if (attempt === retries.attemptsMax || ranMs + waitMs > retries.totalMsMax) {
        const message = `${reply.message}, after ${attempt} attempt(s)`;
        const mend = `see whether ${endpoint.url} is up, and what load it takes`;
        const failure = { code: "encoder_unavailable", message, mend } as const;
        this.#openCircuit(failure);
        return { kind: "unavailable", failure };
      }
      await time.sleep(waitMs, call.signal);
    }
  }

  async #attempt(
    texts: readonly string[],
    format: VectorFormat,
    signal: AbortSignal,
  ): Promise<Reply | { kind: "unavailable"; failure: RemoteFailure }> {
    const { account, endpoint } = this.#options;
    // Looked at once more: others may have spent the rest, or met a refusal, while this one waited for its turn.
    const stopped = this.#stopped();
    if (stopped !== null) return { kind: "unavailable", failure: stopped };
    const estimate = estimatedTokens(texts);
    account.begin(estimate);
    // What is given up may have been worked on, and be on the bill.
    let tokens: number | null = estimate;
    try {
      const reply = await endpoint.send(texts, format, signal);
      tokens = tokensOf(reply, estimate);
      return reply;
    } finally {
      account.end(estimate, tokens);
    }
  }

  /** Null: it may go out. */
  async #admit(
    texts: readonly string[],
    call: Call & { readonly waitMsMax: number },
  ): Promise<RemoteFailure | null> {
    const admittance = { tokens: estimatedTokens(texts), ahead: call.ahead, waitMsMax: call.waitMsMax };
    try {
      await this.#options.account.admit(admittance, call.signal);
      return null;
    } catch (error) {
      if (!(error instanceof MedleyError)) throw error; // The signal's reason.
      return { code: "encoder_unavailable", message: error.message, mend: error.mend ?? "" };
    }
  }

  /** Why nothing is sent just now. */
  #stopped(): RemoteFailure | null {
    const { account, time, tokensMax } = this.#options;
    if (this.#open !== null && time.nowMs() < this.#open.untilMs) return this.#open.failure;
    const { spentTokens, tokensUnderWay } = account;
    if (tokensMax === null || spentTokens + tokensUnderWay < tokensMax) return null;
    const underWay = tokensUnderWay === 0 ? "" : `, some ${tokensUnderWay} are under way`;
    return {
      code: "encoder_unavailable",
      message: `the budget of ${tokensMax} tokens (tokensMax) is spent: ${spentTokens} are used${underWay}`,
      mend: "raise tokensMax, or start the process again for another budget",
    };
  }

  #openCircuit(failure: RemoteFailure): void {
    this.#open = { untilMs: this.#options.time.nowMs() + circuitMs, failure };
  }
}

function tokensOf(reply: Reply, estimate: number): number | null {
  if (reply.kind === "answered") return reply.answer.tokens ?? estimate;
  if (reply.kind === "texts_refused") return null;
  return reply.tokens === "unknown" ? estimate : reply.tokens;
}
