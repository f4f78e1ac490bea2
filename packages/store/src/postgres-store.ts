import { strict as assert } from "node:assert";
import {
  type BackfillRun,
  type ChangedRows,
  type ChunkRef,
  type Collection,
  type DeadLetter,
  type DeadLetterCount,
  type DeadLetterPage,
  type DeadLetterStore,
  type DeadLetterWhere,
  firstGeneration,
  type GenerationOf,
  type GenerationStore,
  MedleyError,
  type Neighbourhood,
  type NodeInput,
  type RefreshBatch,
  type RefreshedRow,
  type RefreshStore,
  type RunMark,
  type RunProgress,
  type RunStore,
  type Store,
  type StoredDeadLetter,
  type StoredNode,
  type StoredRow,
  type StoredSegments,
  suggestion,
  type UserEvent,
  type VectorEnvelope,
  type WriteOutcome,
} from "@medley/core";
import type pg from "pg";
import * as runs from "./backfill-runs.ts";
import { type CollectionStatus, readCollectionStatus } from "./collection-status.ts";
import * as deadLetterQueries from "./dead-letter-queries.ts";
import * as deadLetters from "./dead-letters.ts";
import { type Figures, readFigures } from "./figures.ts";
import * as changes from "./generations/changes.ts";
import { readGenerations, type StoredGeneration } from "./generations/generations.ts";
import { readNeighbourhoods } from "./graph/read-neighbourhoods.ts";
import * as refreshes from "./graph/refreshes.ts";
import { type CollectionLayout, servedGeneration } from "./migrations/collection-tables.ts";
import { type GraphSpace, graphSpaces } from "./migrations/graph-tables.ts";
import { planMigration, readCatalogue } from "./migrations/migrate.ts";
import { rowTable } from "./migrations/row-tables.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import { type ForgottenAt, forgetUser, writeEvents } from "./profiles.ts";
import { askedMsMax, withRetry } from "./retry.ts";
import type { VectorTypes } from "./rows/columns.ts";
import { readSegmentsRow, type SegmentsRow, segmentsSql } from "./rows/read-segments.ts";
import {
  chunkValues,
  type OutcomesRow,
  type RowWriter,
  rowWriter,
  settledChunkSql,
} from "./rows/write-rows.ts";
import { explainSearch, type Hit, type Search, type SearchPlan, search } from "./search.ts";
import { readServer, type Server } from "./server.ts";

export interface PostgresStoreOptions {
  readonly pool: pg.Pool;
  readonly collections: readonly CollectionLayout[];
  /** Done before letters are stored, which a rejection prevents: so what is stored was told. Default: nothing. */
  readonly beforeDeadLetters?: (letters: readonly DeadLetter[]) => Promise<void>;
}

/**
 * Opens the store over a database that `migrate` has prepared for exactly these collections; changes nothing in it
 * but rows. The pool stays the caller's, to end after the last call. Throws `MedleyError` `schema_behind`,
 * `schema_conflict`, `data_too_new` or `store_unavailable`.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const { pool, collections, beforeDeadLetters = async () => {} } = options;
  const missing = await withRetry(() => planMigration(pool, collections), askedMsMax);
  if (missing.length > 0) {
    const names = missing.map((step) => step.name).join(", ");
    throw new MedleyError("schema_behind", `the database lacks: ${names}`, { mend: "run: medley migrate" });
  }
  const server = await withRetry(() => readServer(pool), askedMsMax);
  const catalogue = await withRetry(() => readCatalogue(pool), askedMsMax);
  const served = collections.map((configured) => {
    const stored = catalogue.find(({ name }) => name === configured.collection.name);
    assert(stored, "a collection that was migrated is there");
    return { ...configured, generation: servedGeneration(configured, stored) };
  });
  return new PostgresStore(pool, served, { ...server, beforeDeadLetters });
}

interface OpenCollection {
  readonly collection: Collection;
  /** That the configuration is of. */
  readonly generation: number;
  /** By generation. */
  readonly generations: Map<number, OpenGeneration>;
}

interface OpenGeneration {
  /** As it is in this generation. */
  readonly collection: Collection;
  readonly graphSpaces: readonly GraphSpace[];
  readonly served: RowWriter;
  readonly carried: RowWriter;
}

/** The ports `Store`, `RefreshStore`, `GenerationStore`, `DeadLetterStore` and `RunStore` over one Postgres, and searches in it. */
export class PostgresStore implements Store, RefreshStore, GenerationStore, DeadLetterStore, RunStore {
  /** The version of pgvector in this database: see `pgvectorWarning`. */
  readonly pgvector: string;
  readonly #pool: pg.Pool;
  readonly #types: VectorTypes;
  readonly #statements: PreparedStatements;
  readonly #collections: ReadonlyMap<string, OpenCollection>;
  readonly #beforeDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>;

  constructor(
    pool: pg.Pool,
    collections: readonly (CollectionLayout & { readonly generation: number })[],
    {
      types,
      pgvector,
      embedded,
      beforeDeadLetters,
    }: Server & Required<Pick<PostgresStoreOptions, "beforeDeadLetters">>,
  ) {
    this.pgvector = pgvector;
    this.#pool = pool;
    this.#types = types;
    this.#beforeDeadLetters = beforeDeadLetters;
    this.#statements = new PreparedStatements(pool, { prepares: !embedded });
    this.#collections = new Map(
      collections.map(({ collection, generation }) => [
        collection.name,
        { collection, generation, generations: new Map() },
      ]),
    );
    for (const configured of collections) this.openGeneration(configured, configured.generation);
  }

  /** Lets rows of a generation be written, and its neighbours be heard; `collection` and `layout` as they are in that generation. */
  openGeneration({ collection, layout }: CollectionLayout, generation: number): void {
    const table = rowTable(collection.name, generation);
    this.#open(collection.name).generations.set(generation, {
      ...{ collection, graphSpaces: graphSpaces(collection, layout) },
      served: rowWriter({ collection, table, carries: false }, this.#types),
      carried: rowWriter({ collection, table, carries: true }, this.#types),
    });
  }

  closeGeneration(collection: string, generation: number): void {
    this.#open(collection).generations.delete(generation);
  }

  /** The generation that the collection's configuration is of. */
  servedGeneration(collection: string): number {
    return this.#open(collection).generation;
  }

  async readSegments(
    collection: string,
    ids: readonly string[],
    generation: number = this.#open(collection).generation,
  ): Promise<ReadonlyMap<string, StoredSegments>> {
    const text = segmentsSql(rowTable(this.#open(collection).collection.name, generation), this.#types);
    const { rows } = await this.#inGeneration(collection, generation, () =>
      this.#pool.query<SegmentsRow>(text, [ids]),
    );
    return new Map(rows.map((row) => [row.id, readSegmentsRow(row)]));
  }

  async writeRows(
    collection: string,
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
  ): Promise<readonly WriteOutcome[]> {
    const { name } = this.#open(collection).collection;
    let outcomes: readonly WriteOutcome[] = [];
    if (envelopes.length > 0) {
      const generation = generationOf(envelopes);
      const { served } = await this.#generation(name, generation);
      const { text, values, outcomesOf } = served.statement(envelopes, chunk);
      const { rows } = await this.#inGeneration(name, generation, () =>
        this.#statements.query<OutcomesRow>(text, values),
      );
      outcomes = outcomesOf(rows[0] as OutcomesRow);
    } else if (chunk !== null) {
      await withRetry(() => this.#statements.query(settledChunkSql, chunkValues(chunk)));
    }
    if (chunk !== null) await runs.finishRunIfDone(this.#statements, chunk.runId);
    return outcomes;
  }

  readGenerations(): Promise<readonly StoredGeneration[]> {
    return withRetry(() => readGenerations(this.#pool));
  }

  takeChanges(collection: string, generation: number): Promise<ChangedRows | null> {
    return withRetry(() => changes.takeChanges(this.#pool, collection, generation));
  }

  readRows(
    collection: Collection,
    generation: number,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, StoredRow>> {
    return withRetry(() => changes.readRows(this.#pool, this.#types, { collection, generation, ids }));
  }

  async carryRows(collection: string, envelopes: readonly VectorEnvelope[]): Promise<void> {
    const generation = generationOf(envelopes);
    const { carried } = await this.#generation(collection, generation);
    const { text, values } = carried.statement(envelopes, null);
    await this.#inGeneration(collection, generation, () => this.#statements.query(text, values));
  }

  finishChanges(changed: ChangedRows): Promise<void> {
    return withRetry(() => changes.finishChanges(this.#pool, changed));
  }

  /** Throws `generation_gone`, or `store_unavailable` for one that this process has not heard of yet. */
  async #generation(collection: string, generation: number): Promise<OpenGeneration> {
    const opened = this.#open(collection).generations.get(generation);
    if (opened !== undefined) return opened;
    await this.#requireThere(collection, generation);
    const what = `generation ${generation} of "${collection}" is not open here yet`;
    throw new MedleyError("store_unavailable", what);
  }

  /** Runs a statement over a generation's table as `withRetry` does. Asks whether it is gone only where something is lacking. */
  async #inGeneration<Value>(
    collection: string,
    generation: number,
    statement: () => Promise<Value>,
  ): Promise<Value> {
    try {
      return await withRetry(statement);
    } catch (error) {
      if (error instanceof MedleyError && error.code === "schema_behind")
        await this.#requireThere(collection, generation);
      throw error;
    }
  }

  #requireThere(collection: string, generation: number): Promise<void> {
    return withRetry(() => changes.requireGeneration(this.#pool, collection, generation));
  }

  async readNeighbourhoods(
    of: GenerationOf,
    space: string,
    nodes: readonly Pick<NodeInput, "id" | "edges">[],
  ): Promise<ReadonlyMap<string, Neighbourhood>> {
    const { graphSpaces } = await this.#generation(of.collection, of.generation);
    const found = graphSpaces.find((one) => one.space === space);
    assert(found, `${of.collection}.${space} hears of neighbours`);
    const asked = { of, space: found, types: this.#types, nodes };
    return this.#inGeneration(of.collection, of.generation, () => readNeighbourhoods(this.#pool, asked));
  }

  spreadChanges(): Promise<{ changes: number; cut: number }> {
    return withRetry(() => refreshes.spreadChanges(this.#pool));
  }

  takeRefreshes(of: GenerationOf): Promise<RefreshBatch | null> {
    return withRetry(() => refreshes.takeRefreshes(this.#pool, of));
  }

  async readNodes(
    { collection, generation }: GenerationOf,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, StoredNode>> {
    const opened = await this.#generation(collection, generation);
    const asked = { collection: opened.collection, generation, ids };
    return this.#inGeneration(collection, generation, () =>
      refreshes.readNodes(this.#pool, this.#types, asked),
    );
  }

  finishRefreshes(batch: RefreshBatch, rows: readonly RefreshedRow[]): Promise<number> {
    return this.#inGeneration(batch.collection, batch.generation, () =>
      refreshes.finishRefreshes(this.#pool, this.#types, batch, rows),
    );
  }

  hasRefreshes(): Promise<boolean> {
    return withRetry(() => refreshes.hasRefreshes(this.#pool), askedMsMax);
  }

  writeEvents(collection: string, events: readonly UserEvent[]): Promise<readonly WriteOutcome[]> {
    return writeEvents(this.#pool, this.#open(collection).collection.name, events);
  }

  forgetUser(collection: string, user: string, at: ForgottenAt): Promise<number> {
    return forgetUser(this.#pool, { collection: this.#open(collection).collection.name, user }, at);
  }

  search(asked: Search): Promise<readonly Hit[]> {
    const { collection, generations } = this.#open(asked.collection);
    return search(this.#pool, generations.get(asked.generation ?? 0)?.collection ?? collection, asked);
  }

  explainSearch(asked: Search): Promise<SearchPlan> {
    this.#open(asked.collection);
    return explainSearch(this.#pool, asked);
  }

  async collectionStatus(): Promise<readonly CollectionStatus[]> {
    const catalogue = await withRetry(() => readCatalogue(this.#pool));
    return readCollectionStatus(
      this.#pool,
      catalogue.filter(({ name }) => this.#collections.has(name)),
    );
  }

  readFigures(): Promise<Figures> {
    return readFigures(this.#pool);
  }

  async addDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    await this.#beforeDeadLetters(letters);
    await deadLetters.addDeadLetters(this.#pool, letters);
  }

  listDeadLetters(page: DeadLetterPage): Promise<readonly StoredDeadLetter[]> {
    return deadLetterQueries.listDeadLetters(this.#pool, page);
  }

  countDeadLetters(where: DeadLetterWhere): Promise<readonly DeadLetterCount[]> {
    return deadLetterQueries.countDeadLetters(this.#pool, where);
  }

  readDeadLetter(deadLetterId: number): Promise<StoredDeadLetter | null> {
    return deadLetterQueries.readDeadLetter(this.#pool, deadLetterId);
  }

  markReplayed(letters: readonly Pick<StoredDeadLetter, "deadLetterId" | "failures">[]): Promise<void> {
    return deadLetters.markReplayed(this.#pool, letters);
  }

  createRun(run: BackfillRun): Promise<void> {
    return runs.createRun(this.#pool, run);
  }

  readRun(runId: string): Promise<BackfillRun | null> {
    return runs.readRun(this.#pool, runId);
  }

  advanceRun(runId: string, mark: RunMark): Promise<void> {
    return runs.advanceRun(this.#pool, runId, mark);
  }

  sealRun(runId: string): Promise<void> {
    return runs.sealRun(this.#statements, runId);
  }

  readRunProgress(runId: string): Promise<RunProgress> {
    return runs.readRunProgress(this.#pool, runId);
  }

  #open(name: string): OpenCollection {
    const open = this.#collections.get(name);
    if (open !== undefined) return open;
    throw new MedleyError("collection_unknown", `there is no collection "${name}"`, {
      mend: suggestion(name, [...this.#collections.keys()]),
    });
  }
}

function generationOf([first]: readonly VectorEnvelope[]): number {
  return first?.generation ?? firstGeneration;
}
