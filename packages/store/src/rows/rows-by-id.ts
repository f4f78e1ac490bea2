import pg from "pg";

const { escapeIdentifier } = pg;

/**
 * Live rows of a collection's view in order of id: `id` and `columns`, which are SQL over `row`. A page at a time by key, so no transaction
 * stays open: rows that are written meanwhile are read if their id is still to come.
 */
export async function* rowsById<Row extends { readonly id: string }>(
  pool: pg.Pool,
  view: string,
  { columns, pageRowsMax }: { readonly columns: readonly string[]; readonly pageRowsMax: number },
): AsyncGenerator<Row, void, void> {
  const text = `select ${["row.id", ...columns].join(", ")} from medley.${escapeIdentifier(view)} as row
where $1::text is null or row.id collate "C" > $1 order by row.id collate "C" limit ${pageRowsMax}`;
  let after: string | null = null;
  for (;;) {
    const { rows }: { rows: Row[] } = await pool.query<Row>(text, [after]);
    yield* rows;
    if (rows.length < pageRowsMax) return;
    after = (rows.at(-1) as Row).id;
  }
}
