import type { GenerationOf } from "@medley/core";
import type pg from "pg";
import { rowTable, tableName } from "../migrations/row-tables.ts";

/** A generation beside the live one, which it is to replace. */
export interface Pair {
  readonly collection: string;
  readonly live: number;
  readonly next: number;
}

/** Rows of the live generation that the next one lacks, or has an older version of, and that do not wait to be carried. */
export async function missingRows(pool: pg.Pool, { collection, live, next }: Pair): Promise<number> {
  const { rows } = await pool.query<{ missing: number }>(
    `select count(*)::int as missing from ${rowTable(collection, live)} as source
where not exists (select from ${rowTable(collection, next)} as target where target.id = source.id and target.version >= source.version)
  and not exists (
    select from medley_internal.generation_change as change
    where change.collection = $1 and change.generation = $2 and change.record_id = source.id
  )`,
    [collection, next],
  );
  return rows[0]?.missing as number;
}

/** A segment that both generations have alike, by where it begins in each, from 0. */
export interface SharedSegment {
  readonly space: string;
  readonly from: number;
  readonly to: number;
  readonly dimensions: number;
}

/** Ids of up to `limit` live rows, spread over all, that both have in the same version. */
export async function sampledIds(
  pool: pg.Pool,
  { collection, live, next }: Pair,
  limit: number,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select source.id from ${rowTable(collection, live)} as source
join ${rowTable(collection, next)} as target on target.id = source.id and target.version = source.version
where source.deleted_at is null order by md5(source.id) limit $1`,
    [limit],
  );
  return rows.map(({ id }) => id);
}

/** By space, how many of the rows have another segment in one generation than in the other. */
export async function differingSegments(
  pool: pg.Pool,
  { collection, live, next }: Pair,
  { segments, ids }: { readonly segments: readonly SharedSegment[]; readonly ids: readonly string[] },
): Promise<Readonly<Record<string, number>>> {
  const { rows } = await pool.query<{ space: string; differing: number }>(
    "select space, differing from medley_internal.differing_segments($1, $2, $3, $4, $5, $6, $7)",
    [
      tableName(collection, live),
      tableName(collection, next),
      segments.map(({ space }) => space),
      segments.map(({ from }) => from + 1),
      segments.map(({ to }) => to + 1),
      segments.map(({ dimensions }) => dimensions),
      ids,
    ],
  );
  return Object.fromEntries(rows.map(({ space, differing }) => [space, differing]));
}

export interface SearchTrial {
  /** Mean share of the ten best rows that a search finds. */
  readonly recall: number;
  /** Median milliseconds of a search. */
  readonly ms: number;
}

const hits = 10;
const usualRecall = 0.95;

/** Searches a generation, live or not, for rows like some of its own, as `medley.search` would. */
export async function trySearches(
  pool: pg.Pool,
  { collection, generation }: GenerationOf,
  ids: readonly string[],
): Promise<SearchTrial> {
  const search = async (id: string, recall: number) => {
    const { rows } = await pool.query<{ ids: string[] }>(
      "select medley_internal.search_generation($1, $2, $3, $4, $5) as ids",
      [collection, generation, id, hits, recall],
    );
    return rows[0]?.ids ?? [];
  };
  const times: number[] = [];
  let found = 0;
  let wanted = 0;
  for (const id of ids) {
    const best = new Set(await search(id, 1));
    const startedMs = performance.now();
    const some = await search(id, usualRecall);
    times.push(performance.now() - startedMs);
    found += some.filter((one) => best.has(one)).length;
    wanted += best.size;
  }
  const ms = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  return { recall: wanted === 0 ? 1 : found / wanted, ms };
}

/** Whether it is known how searches of the live generation find their rows. */
export async function isAnalysed(pool: pg.Pool, collection: string): Promise<boolean> {
  const { rows } = await pool.query<{ known: boolean }>(
    `select exists (select from medley_internal.search_statistics where table_name = live_table) as known
from medley_internal.collections where name = $1`,
    [collection],
  );
  return rows[0]?.known ?? false;
}
