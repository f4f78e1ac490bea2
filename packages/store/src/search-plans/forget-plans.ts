import type pg from "pg";

/** What was learned of a table of rows; the plans go with the statistics. */
export async function forgetPlans(client: pg.Client, table: string): Promise<void> {
  await client.query("delete from medley_internal.search_weightings where table_name = $1", [table]);
  await client.query("delete from medley_internal.search_statistics where table_name = $1", [table]);
}
