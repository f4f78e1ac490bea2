/** A connection that breaks does not say whether the server had done the work: every operation is tried again, with one effect. */
import { randomUUID } from "node:crypto";
import type { BackfillRun } from "@medley/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BrokenLine } from "./broken-line.fixture.ts";
import { openPool } from "./pool.ts";
import { openPostgresStore, type PostgresStore } from "./postgres-store.ts";
import {
  filmsLayout,
  openServerDatabase,
  openStore,
  type TestDatabase,
  tombstone,
  upsert,
} from "./test-database.fixture.ts";

const serverUrl = process.env.DATABASE_URL;
const settled = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 0 };
const run: BackfillRun = {
  runId: "",
  collection: "films",
  source: "f",
  fingerprint: "f",
  baseVersion: 1n,
  chunksSent: 1,
  recordsRead: 1,
  position: null,
  state: "running",
  startedAtMs: 0,
};

let database: TestDatabase;
let line: BrokenLine;
let store: PostgresStore;
let closePool: () => Promise<void>;

describe.skipIf(serverUrl === undefined)("connections to the server at DATABASE_URL that break", () => {
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
    const films = filmsLayout("films");
    await openStore(database, films);
    // What was written, whoever wrote it: an upsert that has no second effect leaves one line per row.
    await database.pool.query(`create table audit (id text, version bigint);
      create function audit() returns trigger language plpgsql as $$ begin
        insert into public.audit values (new.id, new.version); return new; end $$;
      create trigger audit after insert or update on medley_internal.films_g1 for each row execute function audit();`);
    line = await BrokenLine.open(database.connectionString);
    const pool = openPool({ connectionString: line.urlOf(database.connectionString), connectionsMax: 2 });
    closePool = () => pool.end();
    store = await openPostgresStore({ pool, collections: [films] });
  });
  afterAll(async () => {
    await closePool();
    await line[Symbol.asyncDispose]();
    await database.close();
  });

  const rowsOf = async (sql: string, values: unknown[] = []) => (await database.pool.query(sql, values)).rows;

  test.for(["before", "after"] as const)(
    "%s the commit: rows are written once, with their outcomes",
    async (moment) => {
      // Twice: at first the statement is parsed, then it is prepared.
      for (const round of [1, 2]) {
        const marker = randomUUID();
        const rows = [
          upsert(`b-${marker}`, 5, { title: "B" }, [1, 0, 0, 0, 1]),
          tombstone(`a-${marker}`, 5),
          upsert(`c-${marker}`, 5, {}, [1, 0, 0, 0, 1]),
        ];
        await store.writeRows("films", [upsert(`c-${marker}`, 9, {}, [1, 0, 0, 0, 1])], null);
        await store.createRun({ ...run, runId: marker });
        line.breakAt(moment, `b-${marker}`);
        const chunk = { runId: marker, chunk: 0, settled };
        expect(await store.writeRows("films", rows, chunk)).toEqual(["indexed", "tombstoned", "superseded"]);
        expect(line.broken).toBeGreaterThanOrEqual(round);
        expect(
          await rowsOf(
            "select id, count(*)::int as writes from audit where id like $1 group by id order by id",
            [`%${marker}`],
          ),
        ).toEqual([
          { id: `a-${marker}`, writes: 1 },
          { id: `b-${marker}`, writes: 1 },
          { id: `c-${marker}`, writes: 1 },
        ]);
        expect(await store.readRunProgress(marker)).toEqual({
          chunksDone: 1,
          indexed: 1,
          tombstoned: 1,
          superseded: 1,
          deadLetters: 0,
        });
      }
    },
  );

  test.for(["before", "after"] as const)(
    "%s the commit: a run is created, sealed and finished once",
    async (moment) => {
      const runId = randomUUID();
      const breaks = () => line.breakAt(moment, runId);
      breaks();
      await store.createRun({ ...run, runId, chunksSent: 0, recordsRead: 0 });
      breaks();
      await store.advanceRun(runId, { chunksSent: 1, recordsRead: 10, position: null });
      breaks();
      await store.writeRows("films", [], { runId, chunk: 0, settled });
      breaks();
      await store.sealRun(runId);
      expect(await store.readRun(runId)).toMatchObject({
        state: "done",
        chunksSent: 1,
        recordsRead: 10,
        position: null,
      });
      expect(await store.readRunProgress(runId)).toMatchObject({ chunksDone: 1 });
    },
  );

  test.for(["before", "after"] as const)("%s the commit: a dead letter is kept once", async (moment) => {
    const collection = randomUUID();
    line.breakAt(moment, collection);
    const letter = {
      collection,
      recordId: "x",
      version: 1n,
      stage: "embed" as const,
      code: "encoder_failed",
      reason: "no",
      payload: Uint8Array.of(1),
      source: "a",
      runId: null,
      attempt: 1,
      trace: null,
    };
    await store.addDeadLetters([letter]);
    expect(await store.listDeadLetters({ where: { collection }, limit: 9 })).toHaveLength(1);
  });
});
