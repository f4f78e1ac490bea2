import { totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Clock,
  type Collection,
  type Consumer,
  channels,
  type Encoder,
  type Lanes,
  type Space,
  systemClock,
  VersionClock,
} from "@medley/core";
import {
  type Chat,
  chooseDevice,
  type ModelLock,
  type ModelRuntime,
  type ModelRuntimeOptions,
  openChat,
  openModelRuntime,
  pinnedArtefact,
} from "@medley/models";
import {
  type Batched,
  type Checked,
  type CollectionEncoders,
  checkInputs,
  collectionNamed,
  inBatch,
  type PipelineCounters,
  type ProducePorts,
  pipelineCounters,
  type Query,
  querySegments,
  readsSegments,
  type SearchPage,
  type SearchQuery,
  searchPage,
  send,
  type Understood,
  understand,
} from "@medley/pipeline";
import {
  type Hit,
  migrate,
  openPool,
  openPostgresStore,
  type PostgresStore,
  pgvectorWarning,
  type SearchPlan,
} from "@medley/store";
import { migrateBullmq } from "@medley/transport";
import type pg from "pg";
import { trainedSpaces } from "../config/configured-models.ts";
import type { Settings } from "../config/settings.ts";
import { type Database, openDatabase } from "./database.ts";
import { openDeadLetterTopic } from "./dead-letter-topic.ts";
import { openEncoders } from "./open-encoders.ts";
import { openLanes } from "./open-lanes.ts";
import { runRefreshes } from "./refreshes.ts";
import { runEmbedStage, runIndexStage, type StageFailure, transportsOf } from "./stages.ts";

export type StageName = "embed" | "index";

export interface DeploymentOptions {
  readonly collections: ReadonlyMap<string, Collection>;
  readonly settings: Settings;
  /** Of `loadConfig`. Default: no model of the hub is pinned, so none is loaded. */
  readonly lock?: ModelLock;
  readonly clock?: Clock;
  /** An encoder of the caller's own for a space; null: the one configured. Default: always null. */
  readonly encoderOf?: (space: Space) => Encoder | null;
  /**
   * Whether models are loaded, which takes memory and a moment: not for what only sends, writes or looks. `own_database`:
   * where the database is this process's own, so that nobody else can run the stages. Default true.
   */
  readonly encodes?: boolean | "own_database";
  /** See `DatabaseOptions`. Default false. */
  readonly mayAttach?: boolean;
  /** Brings the database up to date first. Default: where it is embedded. A server's is migrated by `medley migrate`. */
  readonly migrates?: boolean;
  /** Faults that are being got over, for logs. */
  readonly onFault?: (fault: Fault) => void;
  /** Packets that failed and come again, for logs. */
  readonly onStageFailure?: (failure: StageFailure) => void;
  /** Part of what `pg_stat_activity` calls its connections. Default: none. */
  readonly role?: string;
}

/** Something to know of that stops nothing. */
export interface Fault {
  readonly part: "queue" | "engine" | "database";
  readonly message: string;
}

// Of the store: longer than a count of many rows takes, shorter than a system needs to notice that the other side is gone.
const queryMsMax = 60_000;
// Where the server ends statements by itself: how long its word may take to come.
const answerMsMax = 5_000;
// Of `close`, where the stages were not stopped before.
const drainMs = 10_000;
const settledPollMs = 20;

/**
 * Everything one process needs to produce, embed, index and search: database, store, queue, encoders. It opens them in
 * order and closes them in reverse, also when opening a later one throws. The stages run between `runStages` and `close`.
 */
export class Deployment implements AsyncDisposable {
  readonly database: Database;
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
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
  readonly #resources: AsyncDisposableStack;
  readonly #chat: Chat | null;
  readonly #consumers: Consumer[] = [];

  constructor(parts: Opened, resources: AsyncDisposableStack, options: DeploymentOptions) {
    this.database = parts.database;
    this.collections = parts.collections;
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
      if (this.#hasGraphs) this.#consumers.push(runRefreshes(this));
    }
    if (stages.includes("index")) this.#consumers.push(...(await runIndexStage(this)));
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
    return searchPage(this.collection(collection), query, { search, signal, clock: this.clock });
  }

  /** At most 100 searches in one go, each with its own answer or error, in their order. Throws `collection_unknown` or `query_invalid`. */
  async searchAll(
    collection: string,
    queries: readonly SearchQuery[],
    signal?: AbortSignal,
  ): Promise<readonly Batched<SearchPage<Hit>>[]> {
    const opened = this.collection(collection);
    return inBatch(
      queries,
      (encoded: Query) => this.searchEncoded(collection, encoded),
      (query, search) => searchPage(opened, query, { search, signal, clock: this.clock }),
    );
  }

  /** Runs a query whose parts are encoded. */
  searchEncoded(collection: string, { segments, ...rest }: Query): Promise<readonly Hit[]> {
    return this.store.search({ collection, parts: segments, ...rest });
  }

  /** How a search would find its rows, without searching. Throws as `search` does. */
  async explainSearch(collection: string, query: SearchQuery, signal?: AbortSignal): Promise<SearchPlan> {
    const options = { signal, clock: this.clock };
    return this.explainEncoded(collection, await querySegments(this.collection(collection), query, options));
  }

  explainEncoded(collection: string, { segments, ...rest }: Query): Promise<SearchPlan> {
    return this.store.explainSearch({ collection, parts: segments, ...rest });
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

/** Throws `model_not_found` for a space that has no artefact yet. */
function requireTrained({ collections, lock }: DeploymentOptions): void {
  for (const place of trainedSpaces(collections)) pinnedArtefact(place, lock);
}

/** Throws `device_unavailable`. */
async function runtimeOptionsOf(
  { settings, lock, encodes = true }: DeploymentOptions,
  database: Database,
): Promise<ModelRuntimeOptions> {
  const { environment, modelThreads, modelMemoryMegabytesMax } = settings;
  const memoryBytes = process.constrainedMemory() || totalmem();
  const loads = encodes === "own_database" ? database.kind === "own" : encodes;
  return {
    environment,
    loads,
    device: loads ? await chooseDevice(settings.device) : "cpu",
    memoryBytesMax:
      modelMemoryMegabytesMax === null
        ? Math.min(memoryBytes, totalmem()) / 2
        : modelMemoryMegabytesMax * 2 ** 20,
    ...(lock === undefined ? {} : { lock }),
    ...(modelThreads === null ? {} : { threads: modelThreads }),
  };
}

function openStorePool({ settings, role }: DeploymentOptions, { kind, connectionString }: Database): pg.Pool {
  const applicationName = role === undefined ? "medley" : `medley ${role}`;
  const { databaseConnectionsMax, databaseStatementMsMax, databaseLockMsMax } = settings;
  // The embedded engine has one session: what waits there waits for others.
  if (kind !== "server") {
    return openPool({ connectionString, connectionsMax: databaseConnectionsMax, applicationName });
  }
  return openPool({
    connectionString,
    connectionsMax: databaseConnectionsMax,
    applicationName,
    queryMsMax: databaseStatementMsMax === null ? queryMsMax : databaseStatementMsMax + answerMsMax,
    statementMsMax: databaseStatementMsMax,
    lockMsMax: databaseLockMsMax,
  });
}

type Opened = Pick<
  Deployment,
  "database" | "collections" | "store" | "lanes" | "pool" | "runtime" | "faults"
>;

/** Throws what its parts throw: `data_in_use`, `port_taken`, `model_not_found`, `schema_behind` and so on. */
export async function openDeployment(options: DeploymentOptions): Promise<Deployment> {
  const { settings } = options;
  const faults = { queue: 0, engine: 0, database: 0 };
  const onFault = (fault: Fault) => {
    faults[fault.part] += 1;
    options.onFault?.(fault);
  };
  // Before the database, which takes seconds to make.
  if (options.encoderOf === undefined) requireTrained(options);
  await using resources = new AsyncDisposableStack();
  const database = await openDatabase({
    settings,
    mayAttach: options.mayAttach ?? false,
    onEngineFault: ({ reason, restart }) =>
      onFault({ part: "engine", message: `restart ${restart}: ${reason}` }),
  });
  await using opened = new AsyncDisposableStack();
  opened.defer(() => database.close());
  // Closed after the database: by then its threads have been idle for a while, and a thread that ends in the middle of a
  // native call takes the process with it.
  const runtime = resources.use(openModelRuntime(await runtimeOptionsOf(options, database)));
  resources.use(opened.move());
  // Not beside the database: making a new one takes 1 GB for a second, and a model half of that while it loads.
  const collections = await openEncoders(options.collections, {
    runtime,
    clock: options.clock ?? systemClock,
    environment: settings.environment,
    resources,
    ...(options.encoderOf === undefined ? {} : { encoderOf: options.encoderOf }),
  });
  const { connectionString } = database;
  const pool = openStorePool(options, database);
  resources.adopt(pool, (open) => open.end());
  if (options.migrates ?? database.kind === "own") {
    await migrate(pool, [...collections.values()]);
    await migrateBullmq(connectionString);
  }
  const topic = openDeadLetterTopic(settings.kafka, resources);
  const store = await openPostgresStore({
    pool,
    collections: [...collections.values()],
    ...(topic === null ? {} : { beforeDeadLetters: (letters) => topic.send(letters) }),
  });
  const warning = database.kind === "server" ? pgvectorWarning(store.pgvector) : null;
  if (warning !== null) onFault({ part: "database", message: warning });
  const lanes = await openLanes({
    settings,
    connectionString,
    store,
    resources,
    onFault: (fault) => onFault({ part: "queue", message: fault.message }),
    onWarning: (message) => onFault({ part: "queue", message }),
  });
  const parts = { database, collections, store, lanes, pool, runtime, faults };
  return new Deployment(parts, resources.move(), options);
}
