import pg from "pg";
import { rowsById } from "./rows-by-id.ts";

const { escapeIdentifier } = pg;

export interface StoredVector {
  readonly id: string;
  /** Fused, unweighted. */
  readonly vector: readonly number[];
}

// Of one statement: some megabytes as text.
const pageRowsMax = 500;

/** The vectors of a collection's live rows in order of id. */
export function readVectors(pool: pg.Pool, collection: string): AsyncGenerator<StoredVector, void, void> {
  return rowsById(pool, collection, { columns: ["row.embedding::vector::real[] as vector"], pageRowsMax });
}

/** The ids of the k live rows of the highest score, best first, by a scan of all that no index serves. */
export async function exactNeighbours(
  pool: pg.Pool,
  collection: string,
  {
    query,
    k,
    without,
  }: { readonly query: readonly number[]; readonly k: number; readonly without: readonly string[] },
): Promise<readonly string[]> {
  // Cast to single precision, which no index is over.
  const text = `select id from medley.${escapeIdentifier(collection)} where id <> all ($3::text[])
order by embedding::vector <#> $1::real[]::vector, id limit $2`;
  const { rows } = await pool.query<{ id: string }>(text, [query, k, without]);
  return rows.map(({ id }) => id);
}
