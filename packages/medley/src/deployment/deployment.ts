import { setTimeout as sleep } from "node:timers/promises";
import {
  type Clock,
  type Collection,
  type Consumer,
  channels,
  type Lanes,
  MedleyError,
  type SearchQuery,
  systemClock,
  VersionClock,
} from "@medley/core";
import { type Chat, type ModelRuntime, openChat } from "@medley/models";
import {
  type Batched,
  type Checked,
  type CollectionEncoders,
  checkInputs,
  collectionNamed,
  encodedAnew,
  inBatch,
  type PipelineCounters,
  type ProducePorts,
  pipelineCounters,
  type Query,
  querySegments,
  readsSegments,
  type SearchPage,
  searchPage,
  send,
  type Understood,
  understand,
} from "@medley/pipeline";
import type { Hit, PostgresStore, SearchPlan } from "@medley/store";
import type pg from "pg";
import { runCarriers } from "./carriers.ts";
import type { Database } from "./database.ts";
import type { Generations } from "./generations.ts";
import type { DeploymentOptions } from "./open-deployment.ts";
import { runRefreshes } from "./refreshes.ts";
import { runEmbedStage, runIndexStage, type StageFailure, transportsOf } from "./stages.ts";

export type StageName = "embed" | "index";

/** Something to know of that stops nothing. */
export interface Fault {
  readonly part: "queue" | "engine" | "database";
  readonly message: string;
}

// Of `close`, where the stages were not stopped before.
const drainMs = 10_000;
const settledPollMs = 20;
/** What a deployment is made of, open. */
export type Opened = Pick<
  Deployment,
  "database" | "collections" | "generations" | "store" | "lanes" | "pool" | "runtime" | "faults"
>;

/**
 * Everything one process needs to produce, embed, index and search: database, store, queue, encoders. It opens them in
 * order and closes them in reverse, also when opening a later one throws. The stages run between `runStages` and `close`.
 */
export class Deployment implements AsyncDisposable {
  readonly database: Database;
  /** Of the generation that is live: it may become another one's while the deployment is open. */
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
  readonly generations: Generations;
  readonly store: PostgresStore;
  readonly lanes: Lanes;
  readonly pool: pg.Pool;
  readonly runtime: ModelRuntime;
  readonly counters: PipelineCounters = pipelineCounters();
  readonly produce: ProducePorts & { readonly lanes: Lanes };
  /** How many there have been. */
  readonly faults: Readonly<Record<Fault["part"], number>>;
  readonly clock: Clock;
  readonly onStageFailure: (failure: StageFailure) => void;
  readonly onGenerationGone = () => this.generations.look();
  readonly #resources: AsyncDisposableStack;
  readonly #chat: Chat | null;
  readonly #consumers: Consumer[] = [];

  constructor(parts: Opened, resources: AsyncDisposableStack, options: DeploymentOptions) {
    this.database = parts.database;
    this.collections = parts.collections;
    this.generations = parts.generations;
    this.store = parts.store;
    this.lanes = parts.lanes;
    this.pool = parts.pool;
    this.runtime = parts.runtime;
    this.faults = parts.faults;
    this.clock = options.clock ?? systemClock;
    this.onStageFailure = options.onStageFailure ?? (() => {});
    this.#chat = options.settings.chat === null ? null : openChat(options.settings.chat);
    this.#resources = resources;
    this.produce = {
      collections: options.collections,
      lanes: parts.lanes,
      versions: new VersionClock(this.clock),
      counters: this.counters,
      backlogPacketsMax: options.settings.backlogPacketsMax,
    };
  }

  collection(name: string): CollectionEncoders {
    return collectionNamed(this.collections, name);
  }

  /** Begins to take packets from the queue. */
  async runStages(stages: readonly StageName[]): Promise<void> {
    if (stages.includes("embed")) {
      this.#consumers.push(...(await runEmbedStage(this)));
      this.#consumers.push(runRefreshes({ ...this.#ports, opened: () => this.generations.opened }));
      this.#consumers.push(...runCarriers({ ...this.#ports, carriages: () => this.generations.carriages }));
      await this.generations.carry();
    }
    if (stages.includes("index")) this.#consumers.push(...(await runIndexStage(this)));
  }

  get #ports(): Pick<Deployment, "store" | "counters" | "onStageFailure"> {
    const { store, counters, onStageFailure } = this;
    return { store, counters, onStageFailure };
  }

  get runsStages(): boolean {
    return this.#consumers.length > 0;
  }

  get #hasGraphs(): boolean {
    return [...this.collections.values()].some(({ collection }) => collection.spaces.some(readsSegments));
  }

  /** Puts records into the queue: upserts, deletes with `_op: "delete"`, events of users with `_op: "event"`. Resolves when the valid ones are durable. */
  async ingest(collection: string, records: readonly unknown[]): Promise<Checked> {
    const opened = this.collection(collection).collection;
    const inputs = records.map((value, index) => ({ value, source: `ingest:${index}`, textual: false }));
    const checked = checkInputs(this.produce, opened, inputs);
    await send(this.produce, opened, checked.envelopes);
    return checked;
  }

  /**
   * Resolves when the queue is empty: everything sent before has been indexed or is a dead letter, and who hears of it in a graph has
   * been encoded anew.
   */
  async settled(signal?: AbortSignal): Promise<void> {
    // A packet enters the next channel before it leaves the one before, so looking in that order misses none.
    for (const transport of transportsOf(this.lanes)) {
      for (const channel of channels) {
        for (;;) {
          const { waiting, inFlight } = await transport.backlog(channel);
          if (waiting + inFlight === 0) break;
          await sleep(settledPollMs, undefined, signal === undefined ? {} : { signal });
        }
      }
    }
    while (this.#hasGraphs && (await this.store.hasRefreshes())) {
      await sleep(settledPollMs, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** What a sentence asks for. Throws `query_invalid`. */
  understand(collection: Collection, sentence: string, signal?: AbortSignal): Promise<Understood> {
    const { clock } = this;
    return understand(collection, sentence, {
      ...{ ask: this.#chat, clock },
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Throws `collection_unknown`, `query_invalid` or `not_found`. */
  async search(collection: string, query: SearchQuery, signal?: AbortSignal): Promise<readonly Hit[]> {
    return (await this.searchPage(collection, query, signal)).hits;
  }

  /** The hits with the cursor of those behind them. Throws as `search` does. */
  async searchPage(collection: string, query: SearchQuery, signal?: AbortSignal): Promise<SearchPage<Hit>> {
    const search = (encoded: Query) => this.searchEncoded(collection, encoded);
    const options = { search, signal, clock: this.clock };
    return encodedAnew(() => searchPage(this.collection(collection), query, options));
  }

  /** At most 100 searches in one go, each with its own answer or error, in their order. Throws `collection_unknown` or `query_invalid`. */
  async searchAll(
    collection: string,
    queries: readonly SearchQuery[],
    signal?: AbortSignal,
  ): Promise<readonly Batched<SearchPage<Hit>>[]> {
    this.collection(collection);
    return inBatch(
      queries,
      (encoded: Query) => this.searchEncoded(collection, encoded),
      (query, search) =>
        encodedAnew(() =>
          searchPage(this.collection(collection), query, { search, signal, clock: this.clock }),
        ),
    );
  }

  /** Runs a query whose parts are encoded. */
  searchEncoded(collection: string, { segments, ...rest }: Query): Promise<readonly Hit[]> {
    return this.#ofLive(() => this.store.search({ collection, parts: segments, ...rest }));
  }

  /** How a search would find its rows, without searching. Throws as `search` does. */
  async explainSearch(collection: string, query: SearchQuery, signal?: AbortSignal): Promise<SearchPlan> {
    return encodedAnew(async () => {
      const options = { signal, clock: this.clock };
      const encoded = await querySegments(this.collection(collection), query, options);
      return this.explainEncoded(collection, encoded);
    });
  }

  explainEncoded(collection: string, { segments, ...rest }: Query): Promise<SearchPlan> {
    return this.#ofLive(() => this.store.explainSearch({ collection, parts: segments, ...rest }));
  }

  /** What was encoded for a generation that is not live any more is refused; the next query is encoded for the one that is. */
  async #ofLive<Value>(ask: () => Promise<Value>): Promise<Value> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof MedleyError && error.code === "generation_gone") await this.generations.look();
      throw error;
    }
  }

  /**
   * Takes away a user's events and profile in a collection, and keeps away what of the user happened or arrived until now.
   * Resolves, when it is done, to how many events there were.
   */
  forgetUser(collection: string, user: string): Promise<number> {
    const { versions } = this.produce;
    return this.store.forgetUser(collection, user, { atMs: versions.nowMs(), version: versions.next() });
  }

  /** Takes no more packets and waits for those in hand; what is not done after `graceMs` goes back to its lane. */
  async stopStages({ graceMs }: { graceMs: number }): Promise<void> {
    await Promise.all(this.#consumers.splice(0).map((consumer) => consumer.close({ graceMs })));
  }

  /** Drains the stages, then closes everything. */
  async close(): Promise<void> {
    await this.stopStages({ graceMs: drainMs });
    await this.#resources.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
