import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPool } from "./pool.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import { openServerDatabase, type TestDatabase } from "./test-database.fixture.ts";

const serverUrl = process.env.DATABASE_URL;
let database: TestDatabase;
let pool: pg.Pool;

describe.skipIf(serverUrl === undefined)("prepared statements on the server at DATABASE_URL", () => {
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
    pool = openPool({ connectionString: database.connectionString, connectionsMax: 1 });
    await pool.query("create table things (n int); insert into things values (7)");
  });
  afterAll(async () => {
    await pool.end();
    await database.close();
  });

  const text = "select * from things where n = $1::int";
  const prepared = async () => {
    const { rows } = await pool.query(
      "select statement from pg_prepared_statements where name like 'medley%'",
    );
    return rows.map((row) => row.statement);
  };

  test("one is parsed once per connection", async () => {
    const statements = new PreparedStatements(pool, { prepares: true });
    for (let n = 0; n < 3; n++) expect((await statements.query(text, [7])).rows).toEqual([{ n: 7 }]);
    expect(await prepared()).toEqual([text]);
  });

  test("a table that was changed under one is read all the same, at once and later", async () => {
    const statements = new PreparedStatements(pool, { prepares: true });
    await statements.query(text, [7]);
    await database.pool.query("alter table things add column word text default 'w'");
    for (let n = 0; n < 2; n++)
      expect((await statements.query(text, [7])).rows).toEqual([{ n: 7, word: "w" }]);
    expect(await prepared()).toEqual([text]);
  });

  test("where a session's statements vanish, as behind a pooler, nothing is prepared from then on", async () => {
    const statements = new PreparedStatements(pool, { prepares: true });
    await statements.query(text, [7]);
    await pool.query("deallocate all");
    for (let n = 0; n < 2; n++) expect((await statements.query(text, [7])).rows).toMatchObject([{ n: 7 }]);
    expect(await prepared()).toEqual([]);
  });

  test("an error of the statement itself is passed on", async () => {
    const statements = new PreparedStatements(pool, { prepares: true });
    const failing = statements.query("select 1 / $1::int", [0]);
    await expect(failing).rejects.toBeInstanceOf(pg.DatabaseError);
    await expect(failing).rejects.toMatchObject({ code: "22012" });
  });
});
