import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildIndex } from "../collection-index.ts";
import {
  filmsLayout,
  openServerDatabase,
  openStore,
  type TestDatabase,
  upsert,
} from "../test-database.fixture.ts";
import { analyzeSearch } from "./analyze.ts";

const serverUrl = process.env.DATABASE_URL;
const role = `medley_alone_${randomBytes(4).toString("hex")}`;
const password = randomBytes(8).toString("hex");

describe.skipIf(serverUrl === undefined)("analysis on the server at DATABASE_URL", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
    const store = await openStore(database, filmsLayout("films"));
    const rows = Array.from({ length: 50 }, (_, n) =>
      upsert(`film-${n}`, 1, { year: 1950 + n }, [Math.cos(n), Math.sin(n), 1, 0, 0]),
    );
    await store.writeRows("films", rows, null);
    await buildIndex(database.connectionString, "films");
    // The rights of whoever owns the tables, of which a superuser's freedom from the limit is none.
    await database.pool.query(
      `create role ${role} login connection limit 1 password '${password}'; do $$ begin execute format('grant %I to ${role}', current_user); end $$`,
    );
  });
  afterAll(async () => {
    await database.pool.query(`drop role if exists ${role}`);
    await database.close();
  });

  test("where the server gives no second session, one looks for all", async () => {
    const url = new URL(database.connectionString);
    url.username = role;
    url.password = password;
    const analysis = await analyzeSearch(url.href, "films", { secondsMax: 1 });
    expect(analysis).toMatchObject({ rows: 50, queries: expect.any(Number) });
    expect(analysis?.queries).toBeGreaterThanOrEqual(4);
    const [first, second] = [url, url].map(({ href }) => new pg.Client({ connectionString: href }));
    await first?.connect();
    await expect(second?.connect(), "the limit holds").rejects.toMatchObject({ code: "53300" });
    await first?.end();
  });
});
