import {
  type BackfillRun,
  type ChunkRef,
  type Collection,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterStore,
  MedleyError,
  type RunProgress,
  type RunStore,
  type Store,
  type StoredDeadLetter,
  type StoredSegments,
  suggestion,
  type VectorEnvelope,
  type WriteOutcome,
} from "@medley/core";
import pg from "pg";
import * as runs from "./backfill-runs.ts";
import { type CollectionStatus, readCollectionStatus } from "./collection-status.ts";
import * as deadLetters from "./dead-letters.ts";
import { type Figures, readFigures } from "./figures.ts";
import type { CollectionLayout } from "./migrations/collection-tables.ts";
import { planMigration, readCatalogue } from "./migrations/migrate.ts";
import { withRetry } from "./retry.ts";
import type { VectorTypes } from "./rows/columns.ts";
import { readSegmentsRow, type SegmentsRow, segmentsSql } from "./rows/read-segments.ts";
import {
  chunkValues,
  type OutcomeRow,
  type RowWriter,
  rowWriter,
  settledChunkSql,
} from "./rows/write-rows.ts";
import { type Hit, type Search, search } from "./search.ts";

/** Connections to `connectionString`; a broken idle one is replaced without a word. To be closed with `end()`. */
export function openPool(options: { connectionString: string; connectionsMax?: number }): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: options.connectionsMax ?? 4,
    connectionTimeoutMillis: 10_000,
    application_name: "medley",
  });
  pool.on("error", () => {});
  return pool;
}

/**
 * Opens the store over a database that `migrate` has prepared for exactly these collections; changes nothing in it
 * but rows. The pool stays the caller's, to end after the last call. Throws `MedleyError` `schema_behind`,
 * `schema_conflict`, `data_too_new` or `store_unavailable`.
 */
export async function openPostgresStore(options: {
  pool: pg.Pool;
  collections: readonly CollectionLayout[];
}): Promise<PostgresStore> {
  const { pool, collections } = options;
  const missing = await withRetry(() => planMigration(pool, collections));
  if (missing.length > 0) {
    const names = missing.map((step) => step.name).join(", ");
    throw new MedleyError("schema_behind", `the database lacks: ${names}`, { mend: "run: medley migrate" });
  }
  const types = await withRetry(() => readVectorTypes(pool));
  return new PostgresStore(
    pool,
    collections.map(({ collection }) => collection),
    types,
  );
}

export async function readVectorTypes(pool: pg.Pool): Promise<VectorTypes> {
  const { rows } = await pool.query<{ schema: string; vector: number; halfvec: number }>(
    `select extnamespace::regnamespace::text as schema,
  (select oid from pg_type where typname = 'vector' and typnamespace = extnamespace) as vector,
  (select oid from pg_type where typname = 'halfvec' and typnamespace = extnamespace) as halfvec
from pg_extension where extname = 'vector'`,
  );
  const { schema, vector, halfvec } = rows[0] as (typeof rows)[0];
  return { schema, vectorOid: Number(vector), halfvecOid: Number(halfvec) };
}

interface OpenCollection {
  readonly collection: Collection;
  readonly writer: RowWriter;
  readonly segmentsSql: string;
}

/** The ports `Store`, `DeadLetterStore` and `RunStore` over one Postgres, and searches in it. */
export class PostgresStore implements Store, DeadLetterStore, RunStore {
  readonly #pool: pg.Pool;
  readonly #collections: ReadonlyMap<string, OpenCollection>;

  constructor(pool: pg.Pool, collections: readonly Collection[], types: VectorTypes) {
    this.#pool = pool;
    this.#collections = new Map(
      collections.map((collection) => [
        collection.name,
        {
          collection,
          writer: rowWriter(collection, types),
          segmentsSql: segmentsSql(collection.name, types),
        },
      ]),
    );
  }

  async readSegments(
    collection: string,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, StoredSegments>> {
    const { segmentsSql: text } = this.#open(collection);
    const { rows } = await withRetry(() => this.#pool.query<SegmentsRow>(text, [ids]));
    return new Map(rows.map((row) => [row.id, readSegmentsRow(row)]));
  }

  async writeRows(
    collection: string,
    envelopes: readonly VectorEnvelope[],
    chunk: ChunkRef | null,
  ): Promise<readonly WriteOutcome[]> {
    const { writer } = this.#open(collection);
    if (envelopes.length === 0) {
      if (chunk === null) return [];
      await withRetry(() => this.#pool.query(settledChunkSql, chunkValues(chunk)));
      return [];
    }
    const { text, values } = writer.statement(envelopes, chunk);
    const { rows } = await withRetry(() => this.#pool.query<OutcomeRow>(text, values));
    return rows.map(({ outcome }) => outcome);
  }

  search(asked: Search): Promise<readonly Hit[]> {
    return search(this.#pool, this.#open(asked.collection).collection, asked);
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

  addDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    return deadLetters.addDeadLetters(this.#pool, letters);
  }

  listDeadLetters(filter: DeadLetterFilter): Promise<readonly StoredDeadLetter[]> {
    return deadLetters.listDeadLetters(this.#pool, filter);
  }

  readDeadLetter(deadLetterId: number): Promise<StoredDeadLetter | null> {
    return deadLetters.readDeadLetter(this.#pool, deadLetterId);
  }

  markReplayed(letter: Pick<StoredDeadLetter, "deadLetterId" | "failures">): Promise<void> {
    return deadLetters.markReplayed(this.#pool, letter);
  }

  createRun(run: BackfillRun): Promise<void> {
    return runs.createRun(this.#pool, run);
  }

  readRun(runId: string): Promise<BackfillRun | null> {
    return runs.readRun(this.#pool, runId);
  }

  listRuns(): Promise<readonly BackfillRun[]> {
    return runs.listRuns(this.#pool);
  }

  advanceRun(runId: string, position: { chunksSent: number; recordsRead: number }): Promise<void> {
    return runs.advanceRun(this.#pool, runId, position);
  }

  finishRun(runId: string): Promise<void> {
    return runs.finishRun(this.#pool, runId);
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
