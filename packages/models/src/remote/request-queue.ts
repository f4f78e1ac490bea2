import { strict as assert } from "node:assert";
import { fail } from "@medley/core";
import type { Exchange, RemoteFailure, RemoteResult } from "./exchange.ts";
import type { Time } from "./time.ts";
import { estimatedTokens } from "./token-estimate.ts";

/** How long records wait for company. Searches do not. */
const gatherMs = 5;
/**
 * Of one request, estimated: 600 kB of UTF-8. OpenAI takes 300,000 tokens, which Chinese may reach at 200,000 estimated;
 * TEI takes 2 MB. A larger text goes alone.
 */
const requestTokensMax = 200_000;
/** Their texts are in their callers' hands already, so the bound is one of number. */
export const recordTextsMax = 4_096;
export const queryTextsMax = 256;

/** One call of `embed`: resolved when the last of its texts is. */
interface Caller {
  readonly results: (RemoteResult | undefined)[];
  missing: number;
  hasLeft: boolean;
  readonly done: PromiseWithResolvers<readonly RemoteResult[]>;
}

interface Item {
  readonly caller: Caller;
  readonly index: number;
  readonly text: string;
  readonly tokens: number;
}

interface Lane {
  readonly ahead: boolean;
  readonly textsMax: number;
  /** In order of arrival. */
  waiting: Item[];
  /** Batches handed to the exchange and not ended. */
  begun: number;
  /** Whether those who wait have waited for company long enough. */
  gathering: "due" | "waits" | null;
}

interface Batch {
  readonly items: readonly Item[];
  readonly giveUp: AbortController;
}

/**
 * Where concurrent calls meet: their texts wait in two lanes, searches and records, and leave in batches, each lane in
 * order. A batch leaves when it is full or its first text has waited `gatherMs` (searches: at once), and fewer than
 * `requestsInFlightMax` batches of its lane are begun; while all are, texts gather. Which of the begun batches is sent next
 * is the exchange's matter, where searches pass.
 *
 * Bounds: `recordTextsMax` and `queryTextsMax` wait, twice `requestsInFlightMax` batches are begun. A caller who leaves takes
 * its waiting texts along; a batch goes on for the others, and is given up when no one is left.
 */
export class RequestQueue implements AsyncDisposable {
  readonly #exchange: Exchange;
  readonly #time: Time;
  readonly #batchesMax: number;
  readonly #records: Lane = lane({ ahead: false, textsMax: recordTextsMax });
  readonly #queries: Lane = lane({ ahead: true, textsMax: queryTextsMax });
  readonly #running = new Map<Batch, Promise<void>>();
  #isClosed = false;

  constructor(options: { exchange: Exchange; time: Time; requestsInFlightMax: number }) {
    this.#exchange = options.exchange;
    this.#time = options.time;
    this.#batchesMax = options.requestsInFlightMax;
  }

  /** One result per text, in order. Throws only the signal's reason. */
  async embed(
    texts: readonly string[],
    options: { readonly ahead: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<readonly RemoteResult[]> {
    const { ahead, signal } = options;
    signal?.throwIfAborted();
    const lane = ahead ? this.#queries : this.#records;
    assert(texts.length <= lane.textsMax, "one call brings more texts than may ever wait");
    if (texts.length === 0) return [];
    if (this.#isClosed) return texts.map(() => fail(closed));
    if (lane.waiting.length + texts.length > lane.textsMax) {
      const failure = full(lane.waiting.length);
      return texts.map(() => fail(failure));
    }
    const caller: Caller = {
      results: new Array(texts.length).fill(undefined),
      missing: texts.length,
      hasLeft: false,
      done: Promise.withResolvers(),
    };
    if (lane.waiting.length === 0 && lane.gathering === "due") lane.gathering = null;
    for (const [index, text] of texts.entries()) {
      lane.waiting.push({ caller, index, text, tokens: estimatedTokens([text]) });
    }
    const leave = () => this.#leave(caller, lane, signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    this.#pump(lane);
    try {
      return await caller.done.promise;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const lane of [this.#records, this.#queries]) {
      for (const item of lane.waiting.splice(0)) settle(item, fail(closed));
    }
    for (const batch of this.#running.keys()) batch.giveUp.abort();
    await Promise.all(this.#running.values());
  }

  #leave(caller: Caller, lane: Lane, reason: unknown): void {
    caller.hasLeft = true;
    caller.done.reject(reason);
    lane.waiting = lane.waiting.filter((item) => item.caller !== caller);
    for (const { items, giveUp } of this.#running.keys()) {
      if (items.every((item) => item.caller.hasLeft)) giveUp.abort();
    }
  }

  #pump(lane: Lane): void {
    while (lane.waiting.length > 0 && lane.begun < this.#batchesMax) {
      const items = this.#nextBatch(lane);
      const isFull = items.length < lane.waiting.length || items.length >= this.#exchange.batchTextsMax;
      if (!isFull && !lane.ahead && lane.gathering !== "due") {
        this.#gather(lane);
        return;
      }
      lane.waiting.splice(0, items.length);
      this.#begin(lane, items);
    }
  }

  #gather(lane: Lane): void {
    if (lane.gathering === "waits") return;
    lane.gathering = "waits";
    void this.#time.sleep(gatherMs).then(() => {
      lane.gathering = "due";
      this.#pump(lane);
    });
  }

  #nextBatch(lane: Lane): readonly Item[] {
    const items: Item[] = [];
    let tokens = 0;
    for (const item of lane.waiting) {
      tokens += item.tokens;
      const isFull = items.length === this.#exchange.batchTextsMax || tokens > requestTokensMax;
      if (isFull && items.length > 0) break;
      items.push(item);
    }
    return items;
  }

  #begin(lane: Lane, items: readonly Item[]): void {
    const batch: Batch = { items, giveUp: new AbortController() };
    lane.begun += 1;
    const running = this.#run(batch, lane).finally(() => {
      lane.begun -= 1;
      this.#running.delete(batch);
      this.#pump(lane);
    });
    this.#running.set(batch, running);
  }

  async #run({ items, giveUp }: Batch, lane: Lane): Promise<void> {
    const { signal } = giveUp;
    const texts = items.map((item) => item.text);
    try {
      const results = await this.#exchange.embed(texts, { ahead: lane.ahead, signal });
      assert.equal(results.length, items.length);
      for (const [index, item] of items.entries()) settle(item, results[index] as RemoteResult);
    } catch (error) {
      // A bug is its callers' to know: crash, don't guess.
      for (const item of items) {
        if (signal.aborted) settle(item, fail(closed));
        else item.caller.done.reject(error);
      }
    }
  }
}

function lane(options: { ahead: boolean; textsMax: number }): Lane {
  return { ...options, waiting: [], begun: 0, gathering: null };
}

function settle({ caller, index }: Item, result: RemoteResult): void {
  assert(caller.results[index] === undefined, "a text is settled once");
  caller.results[index] = result;
  caller.missing -= 1;
  if (caller.missing === 0) caller.done.resolve(caller.results as RemoteResult[]);
}

const closed: RemoteFailure = {
  code: "encoder_unavailable",
  message: "the remote encoder is closed",
  mend: "start the process again",
};

function full(waiting: number): RemoteFailure {
  return {
    code: "encoder_unavailable",
    message: `${waiting} texts wait for the endpoint already`,
    mend: "send less at a time, or try again later",
  };
}
