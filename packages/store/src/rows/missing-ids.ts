import pg from "pg";

const { escapeIdentifier } = pg;

// Of one statement.
const batchIdsMax = 10_000;

/** Those of the ids, in their order, of which a collection has no live row. */
export async function missingIds(
  pool: pg.Pool,
  collection: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const text = `select wanted from unnest($1::text[]) with ordinality as ids(wanted, place)
where not exists (select from medley.${escapeIdentifier(collection)} where id = wanted) order by place`;
  const missing: string[] = [];
  for (let from = 0; from < ids.length; from += batchIdsMax) {
    const { rows } = await pool.query<{ wanted: string }>(text, [ids.slice(from, from + batchIdsMax)]);
    missing.push(...rows.map(({ wanted }) => wanted));
  }
  return missing;
}
