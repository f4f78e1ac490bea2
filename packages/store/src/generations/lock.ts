import { rmSync } from "node:fs";
import { join } from "node:path";
import { MedleyError } from "@medley/core";
import pg from "pg";
import { takeProcessLock } from "../embedded/process-lock.ts";
import { faultOf } from "../retry.ts";

/** Of a collection, whose generations nobody else changes until it is disposed or its process ends. */
export interface GenerationLock extends AsyncDisposable {
  /** Aborted, with `store_unavailable`, where the lock is gone before: from then on another process may have it. */
  readonly lost: AbortSignal;
}

/** Any number, the same in all processes; beside it the collection's. */
const generationLock = 7_305_816;
/** A process that was just killed may be there for a moment: until the server sees that its connection is closed. */
const lockMsMax = 1_000;

/**
 * On a server the lock is held by a session of its own, so it goes with its process. It has to be reached directly: a pooler that hands
 * out connections per transaction gives the lock to whoever comes next. Throws `MedleyError` `apply_running` or `store_unavailable`.
 */
export async function lockGenerations(connectionString: string, collection: string): Promise<GenerationLock> {
  const client = new pg.Client({ connectionString, application_name: "medley apply: lock", keepAlive: true });
  const losing = new AbortController();
  const lose = (cause?: Error) =>
    losing.abort(
      new MedleyError("store_unavailable", `the lock on the generations of "${collection}" is lost`, {
        mend: "its session has ended; the same command goes on",
        ...(cause === undefined ? {} : { cause }),
      }),
    );
  client.on("error", lose);
  client.on("end", () => lose());
  try {
    await client.connect();
    await client.query(sessionSql);
    await client.query("select pg_advisory_lock($1, hashtext($2))", [generationLock, collection]);
  } catch (error) {
    const isHeld = error instanceof pg.DatabaseError && error.code === "55P03";
    const failure = isHeld ? await applyRunning(client, collection) : faultOf(error);
    await client.end().catch(() => {});
    throw failure;
  }
  return { lost: losing.signal, [Symbol.asyncDispose]: () => client.end() };
}

/** It idles for as long as a generation takes, and a machine that has vanished is to be noticed in half a minute. */
const sessionSql = `set lock_timeout = ${lockMsMax}; set idle_session_timeout = 0;
set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4`;

async function applyRunning(client: pg.Client, collection: string): Promise<MedleyError> {
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_locks
where locktype = 'advisory' and granted and classid = $1 and objid = (hashtext($2)::bigint & 4294967295)::oid and objsubid = 2
  and database = (select oid from pg_database where datname = current_database())`,
    [generationLock, collection],
  );
  const [session] = rows;
  // Gone since: then there is nothing to end.
  if (session === undefined) return refusal(collection, "", "");
  const ended = `; where it hangs, on the server: select pg_terminate_backend(${session.pid})`;
  return refusal(collection, `, in session ${session.pid} of the server`, ended);
}

/**
 * The same on the embedded engine, whose clients share one session: a file in the data folder, which counts for nothing once its process
 * has ended. Throws `MedleyError` `apply_running`.
 */
export function lockEmbeddedGenerations(dataDir: string, collection: string): GenerationLock {
  const path = join(dataDir, `apply-${collection}.lock`);
  const holder = takeProcessLock(path);
  if (holder !== null)
    throw refusal(collection, `, in ${holder}`, `; delete ${path} if you are sure that it is gone`);
  return {
    lost: new AbortController().signal,
    [Symbol.asyncDispose]: async () => rmSync(path, { force: true }),
  };
}

function refusal(collection: string, where: string, lastResort: string): MedleyError {
  const what = `another medley apply is at work on collection "${collection}"${where}`;
  return new MedleyError("apply_running", what, {
    mend: `wait for it, or stop it with Ctrl-C: the same command goes on where it was${lastResort}`,
  });
}
