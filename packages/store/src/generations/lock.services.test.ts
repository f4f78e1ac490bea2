import { once } from "node:events";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openServerDatabase, type TestDatabase } from "../test-database.fixture.ts";
import { lockGenerations } from "./lock.ts";

const serverUrl = process.env.DATABASE_URL;

describe.skipIf(serverUrl === undefined)(
  "the lock on a collection's generations (needs DATABASE_URL)",
  () => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await openServerDatabase(serverUrl as string);
    });
    afterAll(() => database.close());
    const lock = (collection: string) => lockGenerations(database.connectionString, collection);
    const sessions = async () => {
      const { rows } = await database.pool.query<{ pid: number }>(
        "select pid from pg_stat_activity where application_name = 'medley apply: lock' and datname = current_database()",
      );
      return rows.map(({ pid }) => pid);
    };

    test("one process has it, and who comes meanwhile is told which session to look for; collections are apart", async () => {
      const held = await lock("films");
      const [pid] = await sessions();
      await expect(lock("films")).rejects.toMatchObject({
        code: "apply_running",
        message: expect.stringContaining(`session ${pid} of the server`),
        mend: expect.stringContaining(`pg_terminate_backend(${pid})`),
      });
      await using _other = await lock("books");
      await held[Symbol.asyncDispose]();
      await using again = await lock("films");
      expect(again.lost.aborted).toBe(false);
    });

    test("who loses it is told, and it is free", async () => {
      await using held = await lock("films");
      const lost = once(held.lost, "abort");
      await database.pool.query("select pg_terminate_backend($1)", await sessions());
      await lost;
      expect(held.lost.reason).toMatchObject({ code: "store_unavailable" });
      await using _next = await lock("films");
    });

    test("a server that is not there", async () => {
      const nowhere = lockGenerations("postgres://nobody@127.0.0.1:1/none", "films");
      await expect(nowhere).rejects.toMatchObject({ code: "store_unavailable" });
    });
  },
);
