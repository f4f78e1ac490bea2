import type pg from "pg";

/** All of `work`'s statements or none. Throws what it throws. */
export async function inTransaction<Result>(
  client: Pick<pg.ClientBase, "query">,
  work: () => Promise<Result>,
): Promise<Result> {
  await client.query("begin");
  try {
    const result = await work();
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}
