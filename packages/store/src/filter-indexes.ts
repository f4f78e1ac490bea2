import { MedleyError } from "@medley/core";
import type pg from "pg";
import { withIndexLocked } from "./index-session.ts";
import { readPathIndexes } from "./index-state.ts";

interface FilterField {
  readonly field: string;
  readonly type: string;
  /** False: no index serves a filter of this type. */
  readonly isServed: boolean;
  /** The space whose index serves filters on it already. */
  readonly space: string | null;
}

/**
 * Lists the fields that filters read: `buildIndex` gives each an index, in every generation. What was listed before and is not any more loses its
 * index. Throws `usage` for a field that there is not, or that gains nothing by an index; `permission_denied`, `index_building`,
 * `store_unavailable`.
 */
export async function writeFilterFields(
  connectionString: string,
  collection: string,
  fields: readonly string[],
): Promise<void> {
  await withIndexLocked(connectionString, collection, async (client) => {
    checkFields(collection, fields, await readFields(client, collection));
    await dropOthers(client, collection, fields);
    await client.query(
      `with kept as (
  insert into medley_internal.filter_indexes (collection, field) select $1, unnest($2::text[]) on conflict do nothing
)
delete from medley_internal.filter_indexes where collection = $1 and field <> all ($2::text[])`,
      [collection, fields],
    );
  });
}

async function readFields(client: pg.Client, collection: string): Promise<readonly FilterField[]> {
  const { rows } = await client.query<FilterField>(
    `select type.key as field, type.value as type, medley_internal.filter_index(type.key, type.value) is not null as "isServed",
  (select path.space from medley_internal.search_paths(found) as path where path.field = type.key and kind <> 'graph' limit 1) as space
from medley_internal.collection_of($1) as found, jsonb_each_text(medley_internal.filter_types(found)) as type
where type.key <> 'id' order by 1`,
    [collection],
  );
  return rows;
}

function checkFields(collection: string, fields: readonly string[], known: readonly FilterField[]): void {
  for (const field of fields) {
    const found = known.find((one) => one.field === field);
    const problem =
      found === undefined
        ? `collection "${collection}" has no field "${field}"`
        : !found.isServed
          ? `field "${field}" (${found.type}): no index serves its filters`
          : found.space === null
            ? null
            : `field "${field}" is served by the index of space "${found.space}"`;
    if (problem === null) continue;
    const may = known.filter(({ isServed, space }) => isServed && space === null).map((one) => one.field);
    throw new MedleyError("usage", problem, {
      mend: may.length === 0 ? "leave out --filters: no field gains by it" : `name some of ${may.join(", ")}`,
    });
  }
}

async function dropOthers(client: pg.Client, collection: string, fields: readonly string[]): Promise<void> {
  const { rows: generations } = await client.query<{ generation: number; embedded: boolean }>(
    `select generation, version() like '%PGlite%' as embedded from medley_internal.collections where name = $1
union select generation, version() like '%PGlite%' from medley_internal.generations where collection = $1`,
    [collection],
  );
  for (const { generation, embedded } of generations) {
    const indexes = await readPathIndexes(client, collection, generation);
    for (const { space, forFilters, name } of indexes) {
      if (!forFilters || fields.includes(space as string)) continue;
      await client.query(`drop index ${embedded ? "" : "concurrently"} if exists medley_internal.${name}`);
    }
  }
}
