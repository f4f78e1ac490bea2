/** `medley migrate` from an earlier version while a generation is being built. */

import { type Collection, checkConfig, type VectorEnvelope } from "@medley/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildIndex } from "../collection-index.ts";
import { beginGeneration, dropGeneration, noteRows, switchGeneration } from "../generations/generations.ts";
import { paper, papersLayout } from "../graph/papers.fixture.ts";
import { readPathIndexes } from "../index-state.ts";
import { openPostgresStore } from "../postgres-store.ts";
import { analyzeSearch } from "../search-plans/analyze.ts";
import { openServerDatabase, openStore, type TestDatabase, upsert } from "../test-database.fixture.ts";
import type { CollectionLayout, StoredCollection } from "./collection-tables.ts";
import { migrate, readCatalogue } from "./migrate.ts";

const serverUrl = process.env.DATABASE_URL;
const rowsCount = 60;

/** A space that an order finds, and one that only a graph does. */
function layoutOf(generation: 1 | 2, classes: Collection["classes"] = {}): CollectionLayout {
  const year = { encoder: "number", field: "year", range: [1900, 2020 + 10 * generation] };
  const [collection] = checkConfig({
    collections: {
      films: {
        fields: { year: "number", face: "vector(3)" },
        spaces: { year, face: { encoder: "vector", field: "face" } },
      },
    },
  }) as [Collection];
  return {
    collection: { ...collection, classes },
    layout: [
      { space: "year", offset: 0, dimensions: 2, encoderIdentity: `year-${generation}` },
      { space: "face", offset: 2, dimensions: 3, encoderIdentity: "face" },
    ],
  };
}

function row(n: number, generation: 1 | 2): VectorEnvelope {
  const year = 1950 + n;
  const angle = ((Math.PI / 2) * (year - 1900)) / (120 + 10 * generation);
  const vector = [Math.cos(angle), Math.sin(angle), Math.cos(n), Math.sin(n), 0];
  return { ...upsert(`f${n}`, 1, { year }, vector), generation };
}

/** What the migration has changed, taken back: graphs over vectors as they are, what was learned of them, and functions of other parameters. */
const beforeScaledGraphs = `drop index medley_internal.films_g1_hnsw;
create index films_g1_hnsw on medley_internal.films_g1 using hnsw (embedding halfvec_ip_ops);
create index films_g2_hnsw on medley_internal.films_g2 using hnsw (embedding halfvec_ip_ops);
alter table medley_internal.search_statistics drop column growths;
create function medley_internal.index_definition(kind text, start int, dimensions int, field text, type text)
  returns text language sql return 'using hnsw (embedding halfvec_ip_ops)';
create function medley_internal.graph_rows(rows_view text, path jsonb, condition text) returns text language sql return '';
delete from medley_internal.migrations
where name in ('0016-scaled-graph.sql', 'functions/search-paths.sql', 'functions/search-plan.sql');`;

const beforeClasses = `alter table medley_internal.collections drop column classes;
alter table medley_internal.generations drop column classes;
delete from medley_internal.migrations where name = '0017-classes.sql';`;

/** Graphs were named by their collection, also in the functions of triggers. */
const beforeGraphsOfGenerations = `alter table medley_internal.generations drop column graphs, drop column noted_position;
alter table medley_internal.graph_refresh rename column table_name to collection;
update medley_internal.graph_edge set graph = 'papers.cites';
update medley_internal.graph_change set graph = 'papers.cites';
do $$ begin
  execute replace(pg_get_functiondef('medley_internal.papers_g1_cites'::regproc), 'papers_g1.cites', 'papers.cites');
end $$;
delete from medley_internal.migrations
where name in ('0021-graphs-of-generations.sql', 'functions/generations.sql', 'functions/graphs.sql');`;

describe.skipIf(serverUrl === undefined)("an upgrade (needs DATABASE_URL)", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
  });
  afterAll(() => database.close());

  const graphs = async () => {
    const { rows } = await database.pool.query<{ name: string; definition: string }>(
      `select relname as name, pg_get_indexdef(oid) as definition from pg_class where relname like 'films_g_\\_hnsw' order by relname`,
    );
    return rows;
  };
  const best = async () => {
    const text = `select id from medley.search('films', medley.query('films', '{"year": 1990}', "like" => 'f7'), 5) order by place`;
    return (await database.pool.query<{ id: string }>(text)).rows.map(({ id }) => id);
  };

  test("to scaled graphs: those of both generations go, and the one that is being built goes on to be live", async () => {
    const { pool, connectionString } = database;
    const of = { collection: "films", generation: 2 };
    const begin = async () => {
      const [stored] = (await readCatalogue(pool)) as [StoredCollection];
      return beginGeneration(pool, layoutOf(2), { stored, encoders: {} });
    };
    const before = await openStore(database, layoutOf(1));
    await before.writeRows(
      "films",
      Array.from({ length: rowsCount }, (_, n) => row(n, 1)),
      null,
    );
    await buildIndex(connectionString, "films");
    await analyzeSearch(connectionString, "films", { secondsMax: 0 });
    expect(await begin()).toBe(2);
    await noteRows(pool, of);
    await pool.query(beforeScaledGraphs);

    expect(await migrate(pool, [layoutOf(1)])).toEqual([
      "0016-scaled-graph.sql",
      "functions/search-paths.sql",
      "functions/search-plan.sql",
    ]);
    expect(await graphs()).toEqual([]);
    const { rowCount } = await pool.query("select from medley_internal.search_statistics");
    expect(rowCount).toBe(0);
    // Whichever of the two a process is started with.
    for (const layout of [layoutOf(1), layoutOf(2)]) expect(await migrate(pool, [layout])).toEqual([]);

    expect(await begin(), "the same goes on").toBe(2);
    const found = await best();
    const store = await openPostgresStore({ pool, collections: [layoutOf(2)] });
    store.openGeneration(layoutOf(1), 1);
    const changes = await store.takeChanges("films", 2);
    expect(changes?.ids).toHaveLength(rowsCount);
    await store.carryRows(
      "films",
      Array.from({ length: rowsCount }, (_, n) => row(n, 2)),
    );
    await store.finishChanges(changes as NonNullable<typeof changes>);
    for (const generation of [1, 2]) await buildIndex(connectionString, "films", { generation });
    expect((await graphs()).map(({ definition }) => /array_fill/.test(definition))).toEqual([true, true]);
    expect(await switchGeneration(pool, of, { drainMsMax: 0 })).toBe(true);
    expect((await readPathIndexes(pool, "films")).every(({ valid }) => valid)).toBe(true);
    expect(await best()).toEqual(found);
  });

  test("to classes of searches: both generations get them, and a switch back keeps them", async () => {
    const { pool } = database;
    await pool.query(beforeClasses);
    const faces = { faces: { face: 3 } };
    const weighed = async (more: string) => {
      const text = `select medley.query('films', '{"year": 1990}', "like" => 'f7'${more})::text as query`;
      return (await pool.query<{ query: string }>(text)).rows[0]?.query;
    };
    expect(await migrate(pool, [layoutOf(2, faces)])).toEqual([
      "0017-classes.sql",
      "collection films: classes of searches",
    ]);
    const classed = await weighed(", class => 'faces'");
    expect(classed).not.toBe(await weighed(""));
    expect(classed).toBe(await weighed(`, weights => '{"face": 3}'`));
    for (const generation of [1, 2]) {
      expect(await migrate(pool, [layoutOf(2, faces)])).toEqual([]);
      expect(await switchGeneration(pool, { collection: "films", generation }, { drainMsMax: 0 })).toBe(true);
      expect(await weighed(", class => 'faces'")).toBe(await weighed(`, weights => '{"face": 3}'`));
    }
    const others = migrate(pool, [layoutOf(2, { faces: { face: 4 } })]);
    await expect(others).rejects.toMatchObject({ code: "schema_conflict" });
    await dropGeneration(pool, { collection: "films", generation: 1 });
    expect(await migrate(pool, [layoutOf(2)])).toEqual(["collection films: search settings"]);
    await expect(weighed(", class => 'faces'")).rejects.toMatchObject({
      code: "22023",
      hint: expect.stringContaining("medley assign"),
    });
  });

  test("to graphs of generations: what was still to be heard is heard, and what comes is", async () => {
    const { pool } = database;
    const papers = papersLayout("papers");
    const store = await openStore(database, papers);
    const cites = { version: 1, year: 2000, edges: { b: 1 } };
    await store.writeRows(
      "papers",
      [paper({ ...cites, id: "a" }), paper({ ...cites, id: "b", edges: {} })],
      null,
    );
    await pool.query(beforeGraphsOfGenerations);
    expect(await migrate(pool, [papers])).toContain("0021-graphs-of-generations.sql");
    const heard = async () => {
      while ((await store.spreadChanges()).changes > 0);
      const batch = await store.takeRefreshes({ collection: "papers", generation: 1 });
      if (batch !== null) await store.finishRefreshes(batch, []);
      return batch?.ids.toSorted();
    };
    expect(await heard()).toEqual(["a", "b"]);
    await store.writeRows("papers", [paper({ ...cites, id: "c", edges: { b: 1 } })], null);
    expect(await heard()).toEqual(["a", "b", "c"]);
  });
});
