import { afterAll, beforeAll, expect, test } from "vitest";
import { filmsLayout, openStore, type TestDatabase } from "../test-database.fixture.ts";
import { listenForGenerations } from "./listen.ts";
import { forgetReaders, readReaders, reportReader } from "./readers.ts";

export function describeReaders(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
    await openStore(database, filmsLayout("films"));
  });
  afterAll(() => database.close());

  const of = (generation: number) => ({ collection: "films", generation });
  const said = (generation: number, carries: boolean, failure: string | null = null) => ({
    ...of(generation),
    ...{ carries, failure },
  });

  test("processes say that they are there, whether they carry, and what became of a generation", async () => {
    const { pool } = database;
    await reportReader(pool, "one", [said(1, true)]);
    await reportReader(pool, "two", [said(1, false), said(2, false, "no such model")]);
    await reportReader(pool, "three", [said(1, false), said(2, false)]);
    const readers = await readReaders(pool, of(2));
    expect(readers.toSorted((a, b) => a.instance.localeCompare(b.instance))).toEqual([
      { instance: "one", carries: true, answered: false, failure: null },
      { instance: "three", carries: false, answered: true, failure: null },
      { instance: "two", carries: false, answered: true, failure: "no such model" },
    ]);
    await reportReader(pool, "two", [said(2, false)]);
    await forgetReaders(pool, "one");
    const left = await readReaders(pool, of(2));
    expect(left.map(({ failure }) => failure)).toEqual([null, null]);
    await forgetReaders(pool, null);
    expect(await readReaders(pool, of(2))).toEqual([]);
  });

  test("one that says nothing for a while is gone, and then forgotten", async () => {
    const { pool } = database;
    const before = (time: string) =>
      pool.query(
        `update medley_internal.generation_reader set seen_at = clock_timestamp() - interval '${time}'`,
      );
    await reportReader(pool, "killed", [said(1, true)]);
    await before("20 seconds");
    expect(await readReaders(pool, of(1))).toHaveLength(1);
    await before("26 seconds");
    expect(await readReaders(pool, of(1))).toEqual([]);
    await before("2 hours");
    await reportReader(pool, "another", [said(1, true)]);
    const { rows } = await pool.query("select instance from medley_internal.generation_reader");
    expect(rows).toEqual([{ instance: "another" }]);
  });

  test("who listens hears at once of what changes, and when the line is lost", async (context) => {
    context.skip(database.embedded, "the embedded engine tells nobody");
    const { pool, connectionString } = database;
    const stopping = new AbortController();
    let heard = 0;
    const onChange = () => {
      heard += 1;
    };
    const listening = listenForGenerations({ connectionString, onChange, signal: stopping.signal });
    await expect.poll(() => heard).toBe(1);
    await pool.query(
      "insert into medley_internal.generations (collection, generation, state, table_name, fields, spaces, weights, dimensions) values ('none', 1, 'live', 'none', '{}', '[]', '{}', 1)",
    );
    await expect.poll(() => heard, { timeout: 500 }).toBe(2);
    await pool.query("delete from medley_internal.generations");
    await expect.poll(() => heard, { timeout: 500 }).toBe(3);
    stopping.abort();
    await listening;
    const lost = listenForGenerations({ connectionString, onChange, signal: new AbortController().signal });
    const outcome = expect(lost).rejects.toThrow(/terminat/);
    await expect.poll(() => heard).toBe(4);
    await pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'medley generations'",
    );
    await outcome;
  });
}
