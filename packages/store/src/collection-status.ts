import pg from "pg";
import { readGraphDimensions } from "./graph-axes.ts";
import { type IndexState, readIndexState } from "./index-state.ts";
import type { CatalogueRow } from "./migrations/collection-tables.ts";
import { withRetry } from "./retry.ts";

export interface CollectionStatus {
  readonly collection: string;
  readonly rowsLive: number;
  readonly tombstones: number;
  /** Not replayed. */
  readonly deadLettersOpen: number;
  readonly dimensions: number;
  /** Of the graphs over all spaces, built or not: as many, or fewer. */
  readonly graphDimensions: number;
  readonly index: IndexState;
}

/** Counts, so it reads each collection's table once. */
export async function readCollectionStatus(
  pool: pg.Pool,
  catalogue: readonly CatalogueRow[],
): Promise<readonly CollectionStatus[]> {
  const statuses: CollectionStatus[] = [];
  for (const { name, spaces, live_table } of catalogue) {
    const { rows } = await withRetry(() =>
      pool.query<{ live: number; deleted: number; letters: number }>(
        `select count(*) filter (where deleted_at is null)::float8 as live, count(deleted_at)::float8 as deleted,
  (select count(*) from medley_internal.dead_letters where collection = $1 and replayed_at is null)::float8 as letters
from medley_internal.${pg.escapeIdentifier(live_table)}`,
        [name],
      ),
    );
    const { live, deleted, letters } = rows[0] as (typeof rows)[0];
    statuses.push({
      collection: name,
      rowsLive: live,
      tombstones: deleted,
      deadLettersOpen: letters,
      dimensions: spaces.reduce((sum, space) => sum + space.dimensions, 0),
      graphDimensions: (await withRetry(() => readGraphDimensions(pool, { collection: name }))).ofGraphs,
      index: await withRetry(() => readIndexState(pool, name, live)),
    });
  }
  return statuses;
}
