import type pg from "pg";
import type { OfGeneration } from "../graph-axes.ts";
import { readHalfvec } from "./binary-array.ts";

/** A space of a collection as it is stored, and the segments of a sample of its live rows. */
export interface SampledSpace {
  readonly space: string;
  /** As the catalogue calls it. */
  readonly encoder: string;
  readonly dimensions: number;
  /** [rows, dimensions] */
  readonly values: Float32Array;
}

/** So many are read at a time: some megabytes. */
const pageRows = 1_000;

/**
 * At most `rowsMax` live rows of a generation, drawn by a hash of their ids: the same rows as long as these are there. Reads the ids of the
 * whole table, and the vectors of the sample.
 */
export async function sampleSpaces(
  pool: Pick<pg.Pool, "query">,
  { collection, generation }: OfGeneration,
  rowsMax: number,
): Promise<readonly SampledSpace[]> {
  const { rows: found } = await pool.query<{ view: string; schema: string; spaces: CatalogueSpace[] }>(
    `select format('medley_internal.%I', medley_internal.rows_view(found)) as view, medley_internal.vector_schema() as schema, found.spaces
from medley_internal.as_generation($1, $2) as found`,
    [collection, generation ?? null],
  );
  const { view, schema, spaces } = found[0] as (typeof found)[0];
  const { rows } = await pool.query<{ id: string }>(
    `select id from ${view} where embedding is not null order by hashtextextended(id, 0), id limit $1`,
    [rowsMax],
  );
  const ids = rows.map(({ id }) => id);
  const sampled = spaces.map(({ name, encoder, dimensions, offset }) => ({
    ...{ space: name, encoder, dimensions, offset },
    values: new Float32Array(ids.length * dimensions),
  }));
  for (let from = 0; from < ids.length; from += pageRows) {
    const { rows: page } = await pool.query<{ place: number; embedding: Buffer }>(
      `select place::int, ${schema}.halfvec_send(embedding) as embedding from unnest($1::text[]) with ordinality as wanted (id, place)
join ${view} using (id) where embedding is not null`,
      [ids.slice(from, from + pageRows)],
    );
    for (const { place, embedding } of page) {
      const vector = readHalfvec(embedding);
      for (const { values, dimensions, offset } of sampled)
        values.set(vector.subarray(offset, offset + dimensions), (from + place - 1) * dimensions);
    }
  }
  return sampled.map(({ offset: _, ...space }) => space);
}

interface CatalogueSpace {
  readonly name: string;
  readonly encoder: string;
  readonly dimensions: number;
  readonly offset: number;
}
