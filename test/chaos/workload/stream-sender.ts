import { setTimeout as sleep } from "node:timers/promises";
import { collectionName, recordOf } from "./content.ts";
import type { Journal } from "./journal.ts";
import type { Operation } from "./operations.ts";
import type { SeededRandom } from "./seeded-random.ts";

export interface StreamSenderOptions {
  /** Of the producers that there are now. */
  readonly urls: () => readonly string[];
  readonly journal: Journal;
  readonly random: SeededRandom;
  readonly signal: AbortSignal;
  /** What an answer asks to wait is waited, up to this. Default: all of it. */
  readonly retryAfterMsMax?: number;
}

interface RecordsAnswer {
  readonly accepted: number;
  readonly rejected: readonly { readonly index: number; readonly code: string }[];
}

const requestMsMax = 10_000;
const pauseMsMax = 500;

/**
 * Sends batches over HTTP until each is answered: what was accepted and what was rejected goes into the journal. Without
 * an answer, or with 429 or 5xx, the same batch is sent again, when the answer asks for it (`retry-after`): to the same
 * effect, since its versions are its own.
 */
export class StreamSender {
  readonly #options: StreamSenderOptions;
  /** Answers by status; `none` where there was no answer. */
  readonly answers = new Map<string, number>();

  constructor(options: StreamSenderOptions) {
    this.#options = options;
  }

  /** Resolves when the batch is answered: true; or after `signal` aborts, with false. */
  async send(batch: readonly Operation[]): Promise<boolean> {
    const { journal, signal } = this.#options;
    journal.sent(batch);
    let open = batch;
    while (!signal.aborted) {
      const answer = await this.#post(JSON.stringify(open.map(recordOf)));
      if ("accepted" in answer) {
        const codes = new Map(answer.rejected.map(({ index, code }) => [index, code]));
        journal.rejected(open.filter((_, index) => isRefusal(codes.get(index))));
        journal.accepted(open.filter((_, index) => !codes.has(index)));
        open = open.filter((_, index) => codes.has(index) && !isRefusal(codes.get(index)));
        if (open.length === 0) return true;
      } else await sleep(answer.againInMs);
    }
    return false;
  }

  async #post(body: string): Promise<RecordsAnswer | { againInMs: number }> {
    const { urls, random, retryAfterMsMax = Number.POSITIVE_INFINITY } = this.#options;
    const pauseMs = random.between(pauseMsMax / 5, pauseMsMax);
    try {
      const response = await fetch(`${random.pick(urls())}/v1/collections/${collectionName}/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(requestMsMax),
      });
      const text = await response.text();
      this.#count(String(response.status));
      if ([202, 207, 422].includes(response.status)) return JSON.parse(text) as RecordsAnswer;
      if (response.status < 429) throw new UnexpectedAnswer(response.status, text);
      const retryAfterSeconds = Number(response.headers.get("retry-after"));
      if (response.status === 429 && !(retryAfterSeconds > 0)) this.#count("429 without retry-after");
      return { againInMs: Math.min(retryAfterSeconds * 1_000, retryAfterMsMax) + pauseMs };
    } catch (error) {
      if (error instanceof UnexpectedAnswer) throw error;
      this.#count("none");
      return { againInMs: pauseMs };
    }
  }

  #count(status: string): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
  }
}

/** Of a record for what it holds; other codes mean that the queue did not take it. */
function isRefusal(code: string | undefined): boolean {
  return code === "record_invalid" || code === "body_malformed";
}

class UnexpectedAnswer extends Error {
  constructor(status: number, text: string) {
    super(`the producer answers ${status}: ${text.slice(0, 500)}`);
  }
}
