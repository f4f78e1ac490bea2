import { MedleyError } from "@medley/core";
import type pg from "pg";
import { withIndexLocked } from "./index-session.ts";
import { readPathIndexes } from "./index-state.ts";
import { forgetPlans } from "./search-plans/forget-plans.ts";
import { inTransaction } from "./transaction.ts";

/** The axes along which graphs are over one space's segments, and so over fewer dimensions than these have. */
export interface SpaceAxes {
  readonly space: string;
  /** At right angles, each of length 1 and with as many numbers as the segments. */
  readonly axes: readonly (readonly number[])[];
}

type Database = Pick<pg.ClientBase | pg.Pool, "query">;

export interface OfGeneration {
  readonly collection: string;
  /** Default: the live one. */
  readonly generation?: number;
}

export interface GraphDimensions {
  readonly ofRows: number;
  /** Of a graph over all spaces, whether it is built or not: as many, or fewer. */
  readonly ofGraphs: number;
}

export async function readGraphDimensions(
  database: Database,
  { collection, generation }: OfGeneration,
): Promise<GraphDimensions> {
  const { rows } = await database.query<GraphDimensions>(
    `select sum(segment.dimensions)::int as "ofRows", sum(coalesce(axes.dimensions, segment.dimensions))::int as "ofGraphs"
from medley_internal.as_generation($1, $2) as found
  cross join lateral (select row_number() over (order by start) as place, own.dimensions from medley_internal.segments(found) as own) as segment
  left join medley_internal.graph_axes as axes on axes.table_name = found.live_table and axes.place = segment.place`,
    [collection, generation ?? null],
  );
  return rows[0] as GraphDimensions;
}

/**
 * Has graphs that are built from then on be over fewer dimensions, of the spaces that are named; of none: over all again. What analysis has
 * learned is forgotten, since it is of other graphs. Throws `usage` where there are graphs already, `permission_denied`, `index_building`,
 * `store_unavailable`.
 */
export async function writeGraphAxes(
  connectionString: string,
  of: OfGeneration,
  spaces: readonly SpaceAxes[],
): Promise<void> {
  await withIndexLocked(connectionString, of.collection, async (client) => {
    await checkNoGraphs(client, of);
    await inTransaction(client, () => replaceAxes(client, of, spaces));
  });
}

async function replaceAxes(
  client: pg.Client,
  { collection, generation }: OfGeneration,
  spaces: readonly SpaceAxes[],
): Promise<void> {
  const { rows } = await client.query<{ table: string; schema: string; names: string[] }>(
    `select found.live_table as table, medley_internal.vector_schema() as schema,
  array(select name from medley_internal.segments(found) order by start) as names
from medley_internal.as_generation($1, $2) as found`,
    [collection, generation ?? null],
  );
  const { table, schema, names } = rows[0] as (typeof rows)[0];
  await client.query("delete from medley_internal.graph_axes where table_name = $1", [table]);
  await forgetPlans(client, table);
  for (const { space, axes } of spaces) {
    await client.query(
      `insert into medley_internal.graph_axes (table_name, place, dimensions, axes)
select $1, $2, count(*), array_agg(axis::${schema}.halfvec order by number)
from unnest($3::text[]) with ordinality as entry (axis, number)`,
      [table, names.indexOf(space) + 1, axes.map((axis) => JSON.stringify(axis))],
    );
  }
}

/** Throws `usage` where there are graphs: they are over the dimensions that they were built over. */
export async function checkNoGraphs(database: Database, of: OfGeneration): Promise<void> {
  if (!(await hasGraphs(database, of))) return;
  throw new MedleyError("usage", `the graphs of "${of.collection}" are there, over other dimensions`, {
    mend: `first: medley index ${of.collection} --drop (searches scan until the graphs are built again)`,
  });
}

/** Valid or not. */
export async function hasGraphs(
  database: Database,
  { collection, generation }: OfGeneration,
): Promise<boolean> {
  const indexes = await readPathIndexes(database, collection, generation);
  return indexes.some(({ graph, valid }) => graph && valid !== null);
}
