import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, errorTable, MedleyError, type SearchQuery } from "@medley/core";
import type {
  CollectionDescription,
  CollectionsAnswer,
  EncodeAnswer,
  RecordsAnswer,
  SearchAnswer,
  SearchBatchAnswer,
} from "@medley/http";
import type { EncodedAs } from "@medley/pipeline";
import { Service } from "./service.ts";

export interface MedleyClientOptions {
  /** Where searches are answered, without a path: `http://127.0.0.1:7400`. */
  readonly url: string;
  /** Where records are taken, if elsewhere: services have an address each. */
  readonly producerUrl?: string;
  /** With the scopes of what is called: `search`, `ingest`. */
  readonly token?: string;
  /** Of one request with all its tries. Default 30,000. */
  readonly callMsMax?: number;
  /** Default 4. */
  readonly triesMax?: number;
}

/** A search as it is sent. */
export interface SearchRequest extends SearchQuery {
  /** A sentence, which is understood first, and the answer says how; what else is said goes before. */
  readonly ask?: string;
}

/** Inputs to one space. */
export interface EncodeRequest {
  readonly collection: string;
  readonly space: string;
  readonly inputs: readonly unknown[];
  /** What a search says of the space (default), or what a record holds. */
  readonly as?: EncodedAs;
  readonly signal?: AbortSignal | undefined;
}

// Well below the bounds of a request's body and records (docs/OPERATIONS.md), so that a batch is a moment's work.
const batchRecordsMax = 1_000;
const batchCharsMax = 2 ** 21;
const batchInputsMax = 64;
const batchSearchesMax = 100;
const batchHitsMax = 10_000;
const resendMs = 1_000;

/**
 * Medley's HTTP interface with types. Whatever may be repeated is: 429, 503 and broken lines are tried again a few times, after the
 * wait that the server asks for. Throws `MedleyError` with the server's code, or `service_unavailable`. Holds no connection.
 */
export class MedleyClient {
  readonly #searches: Service;
  readonly #records: Service;
  readonly #triesMax: number;

  constructor({ url, producerUrl = url, token, callMsMax = 30_000, triesMax = 4 }: MedleyClientOptions) {
    const options = { token, callMsMax, triesMax };
    this.#searches = new Service({ url, ...options });
    this.#records = new Service({ url: producerUrl, ...options });
    this.#triesMax = triesMax;
  }

  /** Those that the token reaches. */
  async collections(signal?: AbortSignal): Promise<readonly CollectionDescription[]> {
    const { body } = await this.#searches.call({ method: "GET", path: "/v1/collections", signal });
    return (body as CollectionsAnswer).collections;
  }

  async search(collection: string, query: SearchRequest, signal?: AbortSignal): Promise<SearchAnswer> {
    const path = `${pathOf(collection)}/search`;
    const { body } = await this.#searches.call({ method: "POST", path, body: query, signal });
    return body as SearchAnswer;
  }

  /** Each search's answer or error, in order; a bad search fails alone. Many go in several requests. */
  async searchAll(
    collection: string,
    queries: readonly SearchQuery[],
    signal?: AbortSignal,
  ): Promise<SearchBatchAnswer["results"]> {
    const path = `${pathOf(collection)}/searches`;
    const results: SearchBatchAnswer["results"][number][] = [];
    const hitsMax = Math.max(...queries.map(({ k = 10 }) => k));
    const searchesMax = Math.max(1, Math.min(batchSearchesMax, Math.floor(batchHitsMax / hitsMax)));
    for (const searches of batchesOf(queries, searchesMax)) {
      const { body } = await this.#searches.call({ method: "POST", path, body: { searches }, signal });
      results.push(...(body as SearchBatchAnswer).results);
    }
    return results;
  }

  /** A segment per input, in order: unit length, or all zero where the input says nothing. */
  async encode({ collection, space, inputs, as = "query", signal }: EncodeRequest): Promise<number[][]> {
    const path = `${pathOf(collection)}/spaces/${encodeURIComponent(space)}/encode`;
    const segments: number[][] = [];
    for (const batch of batchesOf(inputs, batchInputsMax)) {
      const { body } = await this.#searches.call({
        method: "POST",
        path,
        body: { inputs: batch, as },
        signal,
      });
      segments.push(...(body as EncodeAnswer).segments.map((segment) => [...segment]));
    }
    return segments;
  }

  /** Upserts, and deletes of `{id, _op: "delete"}`. What the server could not take for a passing reason is sent again. */
  async send(collection: string, records: readonly object[], signal?: AbortSignal): Promise<RecordsAnswer> {
    const answers: RecordsAnswer[] = [];
    const numbered = records.map((record, index) => ({ record, index }));
    for (const batch of batchesOf(numbered, batchRecordsMax)) {
      answers.push(await this.#sendBatch(`${pathOf(collection)}/records`, batch, signal));
    }
    return {
      accepted: answers.reduce((sum, { accepted }) => sum + accepted, 0),
      rejected: answers.flatMap(({ rejected }) => rejected).sort((a, b) => a.index - b.index),
    };
  }

  /** As `send`; throws what is wrong with the first that is refused. The others are taken all the same. */
  async sendAll(collection: string, records: readonly object[], signal?: AbortSignal): Promise<void> {
    const { rejected } = await this.send(collection, records, signal);
    const [first] = rejected;
    if (first === undefined) return;
    const { code, index, message } = first;
    throw new MedleyError(
      isKnown(code) ? code : "record_invalid",
      `${rejected.length} of ${records.length} records are refused; number ${index}: ${message}`,
      { mend: "the others are taken: mend these and send them again" },
    );
  }

  async #sendBatch(
    path: string,
    batch: readonly Numbered[],
    signal: AbortSignal | undefined,
  ): Promise<RecordsAnswer> {
    let accepted = 0;
    const rejected: Rejected[] = [];
    let rest = batch;
    for (let tried = 1; rest.length > 0; tried += 1) {
      const body = rest.map(({ record }) => record);
      const { body: answer, retryAfterMs } = await this.#records.call({ method: "POST", path, body, signal });
      const said = answer as RecordsAnswer;
      accepted += said.accepted;
      const again: Numbered[] = [];
      for (const one of said.rejected) {
        const sent = rest[one.index] as Numbered;
        if (tried < this.#triesMax && isPassing(one)) again.push(sent);
        else rejected.push({ ...one, index: sent.index });
      }
      rest = again;
      if (rest.length > 0)
        await sleep(retryAfterMs ?? resendMs, undefined, signal === undefined ? {} : { signal });
    }
    return { accepted, rejected };
  }
}

type Rejected = RecordsAnswer["rejected"][number];

interface Numbered {
  readonly record: object;
  readonly index: number;
}

function isPassing({ code }: Rejected): boolean {
  return isKnown(code) && errorTable[code].retryable;
}

function isKnown(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

function pathOf(collection: string): string {
  return `/v1/collections/${encodeURIComponent(collection)}`;
}

/** In order, each of at most `itemsMax` items and, but for an item that is larger by itself, `batchCharsMax` characters of JSON. */
function* batchesOf<Item>(items: readonly Item[], itemsMax: number): Generator<Item[]> {
  let batch: Item[] = [];
  let chars = 0;
  for (const item of items) {
    const itemChars = JSON.stringify(item).length;
    if (batch.length === itemsMax || (batch.length > 0 && chars + itemChars > batchCharsMax)) {
      yield batch;
      [batch, chars] = [[], 0];
    }
    batch.push(item);
    chars += itemChars;
  }
  if (batch.length > 0) yield batch;
}
