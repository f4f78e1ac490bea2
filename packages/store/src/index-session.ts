import { MedleyError } from "@medley/core";
import pg from "pg";
import { faultOf } from "./retry.ts";

/** How often the server looks, during a statement, whether whoever asked for it is still there. */
const lookMs = 1_000;

/** One session without the pool's time limits: a build takes as long as it takes. */
export async function openIndexSession(
  connectionString: string,
  resources: AsyncDisposableStack,
): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name: "medley index", keepAlive: true });
  client.on("error", () => {});
  await client.connect();
  resources.defer(() => client.end());
  await client.query("set statement_timeout = 0");
  // Else the server would go on with the build of a process that was killed, and keep its lock. The embedded engine's session is for all,
  // and a server on Windows can't look.
  await client
    .query(
      "select set_config('client_connection_check_interval', $1, false) where version() not like '%PGlite%'",
      [`${lookMs}ms`],
    )
    .catch(() => {});
  resources.defer(async () => void (await client.query("reset statement_timeout").catch(() => {})));
  return client;
}

/** Any number, the same in all processes; beside it the collection's. */
const indexLock = 7_305_815;

/**
 * `work` with a session that alone works on the collection's indexes; `resources` end with it. Throws `index_building` where another process is at
 * it, and the database's errors as typed ones.
 */
export async function withIndexLocked<Result>(
  connectionString: string,
  collection: string,
  work: (client: pg.Client, resources: AsyncDisposableStack) => Promise<Result>,
): Promise<Result> {
  try {
    await using resources = new AsyncDisposableStack();
    const client = await openIndexSession(connectionString, resources);
    await lockIndex(client, collection);
    return await work(client, resources);
  } catch (error) {
    throw faultOf(error);
  }
}

async function lockIndex(client: pg.Client, collection: string): Promise<void> {
  const { rows } = await client.query<{ locked: boolean }>(
    "select pg_try_advisory_lock($1, hashtext($2)) as locked",
    [indexLock, collection],
  );
  if (rows[0]?.locked) return;
  throw new MedleyError("index_building", `another process works on the index of "${collection}"`, {
    mend: "wait for it; medley status says when the index is ready",
  });
}
