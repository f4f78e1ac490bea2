import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Collection,
  checkConfig,
  Random,
  type SegmentLayout,
  type VectorEnvelope,
  version,
} from "@medley/core";
import {
  migrate,
  openEmbeddedPostgres,
  openPool,
  openPostgresStore,
  type PostgresStore,
} from "@medley/store";
import type pg from "pg";

export interface RowStore extends AsyncDisposable {
  readonly pool: pg.Pool;
  readonly store: PostgresStore;
  readonly layout: readonly SegmentLayout[];
}

/** A store of the collection `films`, its vectors of the given spaces' dimensions: embedded in a folder of its own, or in an empty database. */
export async function openRowStore(
  dimensions: Readonly<Record<string, number>>,
  databaseUrl?: string,
): Promise<RowStore> {
  await using resources = new AsyncDisposableStack();
  const connectionString = databaseUrl ?? (await embeddedDatabase(resources));
  const pool = openPool({ connectionString });
  resources.adopt(pool, (open) => open.end());
  const names = Object.keys(dimensions);
  const [collection] = checkConfig({
    collections: {
      films: {
        fields: { title: "text", year: "number", genres: "categories" },
        spaces: Object.fromEntries(names.map((name) => [name, { encoder: "text", field: "title" }])),
      },
    },
  }) as [Collection];
  let offset = 0;
  const layout = names.map((space) => {
    const segment = { space, offset, dimensions: dimensions[space] as number, encoderIdentity: "random" };
    offset += segment.dimensions;
    return segment;
  });
  const collections = [{ collection, layout }];
  await migrate(pool, collections);
  const store = await openPostgresStore({ pool, collections });
  const closing = resources.move();
  return { pool, store, layout, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

async function embeddedDatabase(resources: AsyncDisposableStack): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), "medley-bench-"));
  resources.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const database = await openEmbeddedPostgres({ dataDir, port: 0 });
  resources.defer(() => database.close());
  return database.connectionString;
}

/** From 0 to below 1, the same numbers each time. */
export function seededRandom(seed: number): () => number {
  const random = new Random(seed);
  return () => random.uniform();
}

/** Unit length in each space. */
export function randomVector(layout: readonly SegmentLayout[], random: () => number): number[] {
  return layout.flatMap(({ dimensions }) => {
    const segment = Array.from({ length: dimensions }, () => random() - 0.5);
    const length = Math.hypot(...segment);
    return segment.map((x) => x / length);
  });
}

export function randomRow(n: number, layout: readonly SegmentLayout[], random: () => number): VectorEnvelope {
  return {
    id: `film-${n}`,
    version: version(1n),
    op: "upsert",
    source: "bench",
    fields: {
      title: `A film of a certain length, number ${n}`,
      year: 1900 + (n % 130),
      genres: ["Comedy", "Drama"],
    },
    vector: Float16Array.from(randomVector(layout, random)),
    segmentHashes: new Uint8Array(16 * layout.length),
  };
}
