import { type Collection, checkConfig, type SpaceLabel, type VectorEnvelope } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CollectionLayout } from "./migrations/collection-tables.ts";
import { migrate, planMigration } from "./migrations/migrate.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { openStore, type TestDatabase, tombstone, upsert } from "./test-database.fixture.ts";

/** A text space and a number; `tuned`: of the text. The segments are the same with and without, as with `blocks: 0`. */
function reviews(
  name: string,
  { tuned, fields = {} }: { tuned: boolean; fields?: Record<string, string> },
): CollectionLayout {
  const meaning = {
    encoder: "text",
    field: "text",
    ...(tuned ? { tuned: { target: "tone", blocks: 0 } } : {}),
  };
  const stars = { encoder: "number", field: "stars", range: [1, 5] };
  const shape = {
    fields: { text: "text", tone: "category", stars: "number", ...fields },
    spaces: { meaning, stars },
  };
  const [collection] = checkConfig({ collections: { [name]: shape } }) as [Collection];
  return {
    collection,
    layout: [
      { space: "meaning", offset: 0, dimensions: 3, encoderIdentity: "meaning-encoder" },
      { space: "stars", offset: 3, dimensions: 2, encoderIdentity: "stars-encoder" },
    ],
  };
}

const labelled = (id: string, version: number, meaning?: SpaceLabel): VectorEnvelope => ({
  ...upsert(id, version, { text: id, stars: version }, [1, 0, 0, 0, 1]),
  labels: meaning === undefined ? {} : { meaning },
});

/** What tuned spaces tell of records. */
export function describeLabels(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  const rowsOf = async (name: string) => {
    const text = `select id, stars, meaning_label, meaning_probability from medley.${name} order by id`;
    return (await database.pool.query(text)).rows;
  };
  const columnsOf = async (name: string) => {
    const { rows } = await database.pool.query<{ column_name: string; data_type: string }>(
      `select column_name, data_type from information_schema.columns
where table_schema = 'medley' and table_name = $1 order by ordinal_position`,
      [name],
    );
    return rows.map(({ column_name, data_type }) => `${column_name} ${data_type}`);
  };

  test("a row has the label of its version, whatever comes late or again; without one, nulls", async () => {
    const store = await openStore(database, reviews("told", { tuned: true }));
    const write = (...envelopes: VectorEnvelope[]) => store.writeRows("told", envelopes, null);
    const good = { label: 'go"od\\', probability: 0.9123456789 };
    const bad = { label: "bad", probability: 0.5 };
    await write(labelled("a", 2, good), labelled("b", 2, bad), labelled("c", 2, bad), labelled("d", 2));
    expect(await write(labelled("a", 1, bad), labelled("a2", 1, bad))).toEqual(["superseded", "indexed"]);
    expect(await write(labelled("a", 2, bad))).toEqual(["indexed"]);
    // Of a worker from before labels, and of one whose text is missing now.
    const { labels: _, ...without } = labelled("b", 3);
    await write(without, labelled("c", 3), tombstone("a2", 2));
    expect(await rowsOf("told")).toEqual(
      [
        { id: "a", stars: 2, meaning_label: good.label, meaning_probability: Math.fround(good.probability) },
        { id: "b", stars: 3, meaning_label: null, meaning_probability: null },
        { id: "c", stars: 3, meaning_label: null, meaning_probability: null },
        { id: "d", stars: 2, meaning_label: null, meaning_probability: null },
      ].map((row) => ({
        ...row,
        meaning_probability:
          row.meaning_probability === null ? null : expect.closeTo(row.meaning_probability, 7),
      })),
    );
    const { rows } = await database.pool.query(
      "select meaning_label from medley_internal.told_g1 where id = 'a2'",
    );
    expect(rows).toEqual([{ meaning_label: null }]);
  });

  test("a search filters by label and probability, and its hits show both", async () => {
    const store = await openStore(database, reviews("found", { tuned: true }));
    const sure = (n: number) => ({ label: n % 2 === 0 ? "good" : "bad", probability: 0.5 + n / 20 });
    await store.writeRows(
      "found",
      Array.from({ length: 10 }, (_, n) => labelled(`r${n}`, 1, sure(n))).concat(labelled("none", 1)),
      null,
    );
    const ids = async (filter: Record<string, unknown>) =>
      (await store.search({ collection: "found", like: "r0", k: 20, filter })).map(({ id }) => id).sort();
    expect(await ids({ meaning_label: "good", meaning_probability: { gte: 0.65 } })).toEqual([
      "r4",
      "r6",
      "r8",
    ]);
    expect(await ids({ meaning_label: { in: ["bad"] }, meaning_probability: { lt: 0.6 } })).toEqual(["r1"]);
    expect(await ids({ meaning_label: { null: true } })).toEqual(["none"]);
    const [hit] = await store.search({ collection: "found", like: "r0", filter: { id: "r3" } });
    expect(hit?.fields).toEqual({
      ...{ text: "r3", tone: null, stars: 1 },
      meaning_label: "bad",
      meaning_probability: expect.closeTo(0.65, 6),
    });
    const perGroup = { field: "meaning_label", max: 1 };
    const grouped = await store.search({ collection: "found", like: "r0", k: 20, perGroup });
    expect(grouped.map(({ fields }) => fields.meaning_label).sort()).toEqual(["bad", "good", null]);
    await expect(ids({ meaning_lable: "good" })).rejects.toMatchObject({
      code: "query_invalid",
      mend: expect.stringContaining("meaning_label, meaning_probability"),
    });
    const { rows } = await database.pool.query(
      `select id from medley.search('found', medley.query('found', '{"stars": 1}'), 20, '{"meaning_label": "bad"}') order by id`,
    );
    expect(rows.map(({ id }) => id)).toEqual(["r1", "r3", "r5", "r7", "r9"]);
  });

  test("a space that is tuned later gets its columns by a migration, behind those that are there, and rows keep all", async () => {
    const { pool } = database;
    const before = reviews("later", { tuned: false });
    const old = await openStore(database, before);
    await old.writeRows("later", [upsert("a", 1, { text: "a", stars: 3 }, [1, 0, 0, 0, 1])], null);
    await expect(
      old.search({ collection: "later", like: "a", filter: { meaning_label: "x" } }),
    ).rejects.toThrow('no field "meaning_label"');
    const tuned = reviews("later", { tuned: true });
    const [step] = await planMigration(pool, [tuned]);
    expect(step?.name).toBe("collection later: new label meaning_label, meaning_probability");
    await expect(openPostgresStore({ pool, collections: [tuned] })).rejects.toMatchObject({
      code: "schema_behind",
    });
    const store = await openStore(database, tuned);
    await store.writeRows("later", [labelled("b", 1, { label: "good", probability: 0.75 })], null);
    // Named first, and yet added last.
    const grown = reviews("later", { tuned: true, fields: { length_m: "number" } });
    expect(await migrate(pool, [grown])).toEqual(["collection later: new field length_m"]);
    expect(await migrate(pool, [grown])).toEqual([]);
    expect(await columnsOf("later")).toEqual([
      ...["id text", "version bigint", "indexed_at timestamp with time zone", "embedding USER-DEFINED"],
      ...["text text", "tone text", "stars double precision"],
      ...["meaning_label text", "meaning_probability real", "length_m double precision"],
    ]);
    expect(await rowsOf("later")).toEqual([
      { id: "a", stars: 3, meaning_label: null, meaning_probability: null },
      { id: "b", stars: 1, meaning_label: "good", meaning_probability: 0.75 },
    ]);
  });

  test("a collection whose space was tuned before there were labels gets the columns", async () => {
    const { pool } = database;
    const tuned = reviews("tuned_before", { tuned: true });
    await migrate(pool, [tuned]);
    await pool.query(`drop view medley.tuned_before, medley_internal.tuned_before_g1_rows;
alter table medley_internal.tuned_before_g1 drop column meaning_label, drop column meaning_probability`);
    expect(await migrate(pool, [tuned])).toEqual([
      "collection tuned_before: new label meaning_label, meaning_probability",
    ]);
    expect(await rowsOf("tuned_before")).toEqual([]);
  });

  test("a space that is no longer tuned is a conflict: its labels would stay behind", async () => {
    await migrate(database.pool, [reviews("settled", { tuned: true })]);
    await expect(migrate(database.pool, [reviews("settled", { tuned: false })])).rejects.toMatchObject({
      code: "schema_conflict",
      message: expect.stringContaining('rows have labels by space "meaning", which is no longer tuned'),
      mend: expect.stringContaining("new name"),
    });
  });
}
