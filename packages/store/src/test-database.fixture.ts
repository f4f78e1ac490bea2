import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Collection,
  checkConfig,
  type RecordFields,
  type SegmentLayout,
  segmentHashBytes,
  type VectorEnvelope,
  version,
} from "@medley/core";
import pg from "pg";
import { openEmbeddedPostgres } from "./embedded/embedded-postgres.ts";
import type { CollectionLayout } from "./migrations/collection-tables.ts";
import { migrate } from "./migrations/migrate.ts";
import { openPool } from "./pool.ts";
import { openPostgresStore, type PostgresStore } from "./postgres-store.ts";

export interface TestDatabase {
  readonly pool: pg.Pool;
  readonly connectionString: string;
  readonly embedded: boolean;
  close(): Promise<void>;
}

export async function openEmbeddedDatabase(): Promise<TestDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), "medley-store-"));
  const { connectionString, close } = await openEmbeddedPostgres({ dataDir, port: 0 });
  return testDatabase(connectionString, true, async () => {
    await close();
    rmSync(dataDir, { recursive: true });
  });
}

/** A fresh database on the server at `serverUrl`, dropped when it closes. */
export async function openServerDatabase(serverUrl: string): Promise<TestDatabase> {
  const name = `medley_test_${randomUUID().replaceAll("-", "")}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return testDatabase(url.href, false, async () => {
    await admin.query(`drop database ${name} with (force)`);
    await admin.end();
  });
}

function testDatabase(connectionString: string, embedded: boolean, stop: () => Promise<void>): TestDatabase {
  const pool = openPool({ connectionString });
  const close = async () => {
    await pool.end();
    await stop();
  };
  return { pool, connectionString, embedded, close };
}

/** Every field type; year (2 dimensions) and genres (3). */
export function filmsLayout(name: string): CollectionLayout & { layout: readonly SegmentLayout[] } {
  const fields = {
    title: "text",
    studio: "category",
    genres: "categories",
    moods: "shares",
    year: "number",
    released: "timestamp",
    place: "geo",
    face: "vector(3)",
    poster: "image",
    theme: "audio",
    sequels: "edges",
    takings: "series",
  };
  const spaces = {
    year: { encoder: "number", field: "year", range: [1900, 2030] },
    genres: { encoder: "category", field: "genres", values: ["Comedy", "Drama", "Horror"] },
  };
  const [collection] = checkConfig({ collections: { [name]: { fields, spaces } } }) as [Collection];
  return {
    collection,
    layout: [
      { space: "year", offset: 0, dimensions: 2, encoderIdentity: "year-encoder" },
      { space: "genres", offset: 2, dimensions: 3, encoderIdentity: "genres-encoder" },
    ],
  };
}

export async function openStore(
  { pool }: TestDatabase,
  ...collections: readonly CollectionLayout[]
): Promise<PostgresStore> {
  await migrate(pool, collections);
  return openPostgresStore({ pool, collections });
}

export function upsert(
  id: string,
  ofVersion: number | bigint,
  fields: RecordFields,
  vector: number[],
): VectorEnvelope {
  const segmentHashes = new Uint8Array(2 * segmentHashBytes).fill(Number(BigInt(ofVersion) % 256n));
  return {
    id,
    version: version(BigInt(ofVersion)),
    op: "upsert",
    fields,
    source: "test",
    vector: Float16Array.from(vector),
    segmentHashes,
  };
}

export function tombstone(id: string, ofVersion: number): VectorEnvelope {
  return {
    id,
    version: version(BigInt(ofVersion)),
    op: "delete",
    fields: {},
    source: "test",
    vector: new Float16Array(0),
    segmentHashes: new Uint8Array(0),
  };
}
