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
}

interface RecordsAnswer {
  readonly accepted: number;
  readonly rejected: readonly { readonly index: number }[];
}

const requestMsMax = 10_000;
const pauseMsMax = 500;

/**
 * Sends batches over HTTP until each is answered: what was accepted and what was rejected goes into the journal. Without
 * an answer, or with 429 or 5xx, the same batch is sent again: to the same effect, since its versions are its own.
 */
export class StreamSender {
  readonly #options: StreamSenderOptions;
  /** Answers by status; `none` where there was no answer. */
  readonly answers = new Map<string, number>();

  constructor(options: StreamSenderOptions) {
    this.#options = options;
  }

  async send(batch: readonly Operation[]): Promise<void> {
    const { journal, signal, random } = this.#options;
    journal.sent(batch);
    const body = JSON.stringify(batch.map(recordOf));
    while (!signal.aborted) {
      const answer = await this.#post(body);
      if (answer !== null) {
        const rejected = new Set(answer.rejected.map(({ index }) => index));
        journal.rejected(batch.filter((_, index) => rejected.has(index)));
        journal.accepted(batch.filter((_, index) => !rejected.has(index)));
        return;
      }
      await sleep(random.between(pauseMsMax / 5, pauseMsMax));
    }
  }

  /** Null: try again. */
  async #post(body: string): Promise<RecordsAnswer | null> {
    const { urls, random, signal } = this.#options;
    try {
      const response = await fetch(`${random.pick(urls())}/v1/collections/${collectionName}/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestMsMax)]),
      });
      const text = await response.text();
      this.#count(String(response.status));
      const isAnswer = [202, 207, 422].includes(response.status);
      if (!isAnswer && response.status < 429) throw new UnexpectedAnswer(response.status, text);
      return isAnswer ? (JSON.parse(text) as RecordsAnswer) : null;
    } catch (error) {
      if (error instanceof UnexpectedAnswer) throw error;
      this.#count("none");
      return null;
    }
  }

  #count(status: string): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
  }
}

class UnexpectedAnswer extends Error {
  constructor(status: number, text: string) {
    super(`the producer answers ${status}: ${text.slice(0, 500)}`);
  }
}
