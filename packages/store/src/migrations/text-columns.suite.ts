import { type Collection, checkConfig } from "@medley/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildIndex } from "../collection-index.ts";
import { beginGeneration, switchGeneration } from "../generations/generations.ts";
import { readPathIndexes } from "../index-state.ts";
import { openPostgresStore } from "../postgres-store.ts";
import { openStore, type TestDatabase, upsert } from "../test-database.fixture.ts";
import type { CollectionLayout, StoredCollection } from "./collection-tables.ts";
import { migrate, planMigration, readCatalogue } from "./migrate.ts";

interface Texts {
  readonly texts?: object;
  readonly fields?: object;
  /** Of the encoder of year. */
  readonly identity?: string;
}

function layoutOf(
  name: string,
  { texts = {}, fields = {}, identity = "year-encoder" }: Texts,
): CollectionLayout {
  const [collection] = checkConfig({
    collections: {
      [name]: {
        fields: { title: "text", year: "number", ...fields },
        spaces: { year: { encoder: "number", field: "year", range: [1900, 2030] } },
        texts,
      },
    },
  }) as [Collection];
  return { collection, layout: [{ space: "year", offset: 0, dimensions: 2, encoderIdentity: identity }] };
}

const row = (id: string, title: string) => upsert(id, 1, { title, year: 1999 }, [0, 1]);
const english = { words: { fields: ["title"], language: "english" } };

/** The columns that hold a text's words: made, made anew and dropped with the configuration. */
export function describeTextColumns(open: () => Promise<TestDatabase>): void {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
  });
  afterAll(() => database.close());

  /** Ids of rows that match. */
  const found = async (layout: CollectionLayout, texts: Readonly<Record<string, string>>) => {
    const store = await openPostgresStore({ pool: database.pool, collections: [layout] });
    const hits = await store.search({ collection: layout.collection.name, texts });
    return hits.map(({ id }) => id);
  };

  test("a text is added to rows that are there, made anew in another language, and dropped", async () => {
    const plain = layoutOf("kept", {});
    const store = await openStore(database, plain);
    await store.writeRows("kept", [row("a", "Die Räuber"), row("b", "The robbers")], null);

    const worded = layoutOf("kept", { texts: english });
    expect(await migrate(database.pool, [worded])).toEqual(["collection kept: new text words"]);
    expect(await migrate(database.pool, [worded])).toEqual([]);
    expect(await found(worded, { words: "robber" })).toEqual(["b"]);

    const german = layoutOf("kept", { texts: { words: { fields: ["title"], language: "german" } } });
    expect(await migrate(database.pool, [german])).toEqual([
      "collection kept: without text words; new text words",
    ]);
    expect(await found(german, { words: "räubern" })).toEqual(["a"]);

    const heavier = layoutOf("kept", {
      texts: { words: { fields: ["title"], language: "german", weight: 3 } },
    });
    expect(await migrate(database.pool, [heavier])).toEqual(["collection kept: search settings"]);

    expect(await migrate(database.pool, [plain])).toEqual(["collection kept: without text words"]);
    const { rows } = await database.pool.query("select * from medley_internal.kept_g1_rows limit 1");
    expect(Object.keys(rows[0])).toEqual(["id", "version", "indexed_at", "embedding", "title", "year"]);
    await expect(found(plain, { words: "robber" })).rejects.toMatchObject({ code: "query_invalid" });
  });

  test("with a new field, and another text that stays; users see neither column", async () => {
    await migrate(database.pool, [layoutOf("grown", { texts: english })]);
    const both = { ...english, plots: { fields: { plot: "A", title: "B" }, language: "simple" } };
    const grown = layoutOf("grown", { texts: both, fields: { plot: "text" } });
    expect(await migrate(database.pool, [grown])).toEqual([
      "collection grown: new field plot; new text plots",
    ]);
    const more = layoutOf("grown", {
      texts: { plots: both.plots, titles: { fields: ["title"], language: "simple" } },
      fields: { plot: "text", studio: "category" },
    });
    expect(await migrate(database.pool, [more])).toEqual([
      "collection grown: new field studio; without text words; new text titles",
    ]);
    const store = await openPostgresStore({ pool: database.pool, collections: [more] });
    const fields = { title: "Heat", plot: "A heist", studio: "Regency", year: 1995 };
    await store.writeRows("grown", [upsert("a", 1, fields, [0, 1])], null);
    const [hit] = await store.search({ collection: "grown", texts: { plots: "heist", titles: "heat" } });
    expect(hit).toMatchObject({ id: "a", contributions: { plots: 0.5, titles: 0.5 } });
    const { rows } = await database.pool.query("select * from medley.grown");
    expect(Object.keys(rows[0]).filter((name) => name.startsWith("_"))).toEqual([]);
  });

  test("a language that this Postgres does not have is refused, with those that it has", async () => {
    const klingon = layoutOf("klingon", { texts: { words: { fields: ["title"], language: "klingon" } } });
    await expect(migrate(database.pool, [klingon])).rejects.toMatchObject({
      code: "config_invalid",
      message: 'collection "klingon", text "words": this Postgres has no language "klingon"',
      mend: expect.stringMatching(/known: .*english.*simple/),
    });
    await database.pool.query("create text search configuration public.plain (copy = simple)");
    const own = layoutOf("own", { texts: { words: { fields: ["title"], language: "public.plain" } } });
    const store = await openStore(database, own);
    await store.writeRows("own", [row("a", "The robbers")], null);
    expect(await found(own, { words: "the" })).toEqual(["a"]);
  });

  test("a database from before texts gets them by migrating", async () => {
    await migrate(database.pool, [layoutOf("older", {})]);
    await database.pool.query(
      `alter table medley_internal.collections drop column texts cascade;
       alter table medley_internal.generations drop column texts;
       delete from medley_internal.migrations where name in ('0014-full-texts.sql', 'functions/texts.sql')`,
    );
    expect(await readCatalogue(database.pool)).not.toEqual([]);
    expect(await migrate(database.pool, [layoutOf("older", { texts: english })])).toEqual([
      "0014-full-texts.sql",
      "functions/texts.sql",
      "collection older: new text words",
    ]);
  });

  test("medley index builds its index, which a search of words reads", async () => {
    const layout = layoutOf("indexed", { texts: english });
    const store = await openStore(database, layout);
    const rows = Array.from({ length: 3_000 }, (_, n) =>
      row(`r${n}`, n % 500 === 0 ? "A rare robbery" : `Film ${n}`),
    );
    for (let at = 0; at < rows.length; at += 500)
      await store.writeRows("indexed", rows.slice(at, at + 500), null);
    await buildIndex(database.connectionString, "indexed");
    const indexes = await readPathIndexes(database.pool, "indexed");
    expect(indexes.map(({ space, valid }) => [space, valid])).toEqual([
      [null, true],
      ["words", true],
    ]);
    expect((await found(layout, { words: "robberies" })).toSorted()).toEqual([
      "r0",
      "r1000",
      "r1500",
      "r2000",
      "r2500",
      "r500",
    ]);
    const { rows: read } = await database.pool.query(
      "select idx_scan::int as scans from pg_stat_user_indexes where indexrelname like 'indexed_g1_text_%'",
    );
    const { rows: plan } = await database.pool.query(
      "explain select id from medley_internal.indexed_g1_rows where _text_words @@ websearch_to_tsquery('english', 'robbery')",
    );
    expect(read).toHaveLength(1);
    expect(plan.map((line) => line["QUERY PLAN"]).join("\n")).toContain("indexed_g1_text_");
  });

  test("the next generation has them, and those that it is configured with", async () => {
    const before = layoutOf("shows", { texts: english });
    const store = await openStore(database, before);
    await store.writeRows("shows", [row("a", "The robbers")], null);
    const texts = { ...english, titles: { fields: ["title"], language: "simple" } };
    const next = layoutOf("shows", { texts, identity: "another" });
    const stored = (await readCatalogue(database.pool)).find(({ name }) => name === "shows");
    await beginGeneration(database.pool, next, { stored: stored as StoredCollection, encoders: {} });
    const both = await openPostgresStore({ pool: database.pool, collections: [next] });
    both.openGeneration(before, 1);
    await both.carryRows("shows", [{ ...row("a", "The robbers"), generation: 2 }]);
    await database.pool.query("update medley_internal.generations set noted = true");
    expect(await found(before, { words: "robber" })).toEqual(["a"]);
    await expect(found(before, { titles: "robbers" })).rejects.toMatchObject({ code: "query_invalid" });
    expect(
      await switchGeneration(database.pool, { collection: "shows", generation: 2 }, { drainMsMax: 0 }),
    ).toBe(true);
    expect(await found(next, { words: "robber", titles: "robber" })).toEqual(["a"]);
    const [hit] = await both.search({ collection: "shows", texts: { titles: "robbers" } });
    expect(hit?.contributions).toMatchObject({ titles: 0.5 });
    expect(
      await switchGeneration(database.pool, { collection: "shows", generation: 1 }, { drainMsMax: 0 }),
    ).toBe(true);
    expect(await found(before, { words: "robber" })).toEqual(["a"]);
    await expect(found(before, { titles: "robbers" })).rejects.toMatchObject({ code: "query_invalid" });
    expect(await planMigration(database.pool, [before])).toEqual([]);
  });
}
