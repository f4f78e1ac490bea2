import pg from "pg";
import { describe, expect, test } from "vitest";
import { describeDeadLetters } from "./dead-letters.suite.ts";
import { describeFigures } from "./figures.suite.ts";
import { describeFilterIndexes } from "./filter-indexes.suite.ts";
import { describeGenerations } from "./generations/generations.suite.ts";
import { describeReaders } from "./generations/readers.suite.ts";
import { describeGraphAxes } from "./graph-axes.suite.ts";
import { describeLabels } from "./labels.suite.ts";
import { describeLettersAndRuns } from "./letters-and-runs.suite.ts";
import { describeMatch } from "./match.suite.ts";
import { describeMigrations } from "./migrations/migrations.suite.ts";
import { describeTextColumns } from "./migrations/text-columns.suite.ts";
import { describeProfiles } from "./profiles.suite.ts";
import { describeRows } from "./rows.suite.ts";
import { describeSearch } from "./search.suite.ts";
import { describeSearchExtras } from "./search-extras.suite.ts";
import { describeCategoryPaths } from "./search-plans/category-paths.suite.ts";
import { describePlannedSearch } from "./search-plans/planned-search.suite.ts";
import { filmsLayout, openEmbeddedDatabase, openStore, upsert } from "./test-database.fixture.ts";
import { describeTexts } from "./texts.suite.ts";

describe("on the embedded engine", () => {
  describe("rows", () => describeRows(openEmbeddedDatabase));
  describe("dead letters", () => describeDeadLetters(openEmbeddedDatabase));
  describe("letters and runs", () => describeLettersAndRuns(openEmbeddedDatabase));
  describe("labels", () => describeLabels(openEmbeddedDatabase));
  describe("generations", () => describeGenerations(openEmbeddedDatabase));
  describe("generation readers", () => describeReaders(openEmbeddedDatabase));
  describe("figures", () => describeFigures(openEmbeddedDatabase));
  describe("migrations", () => describeMigrations(openEmbeddedDatabase));
  describe("profiles", () => describeProfiles(openEmbeddedDatabase));
  describe("search", () => describeSearch(openEmbeddedDatabase));
  describe("search extras", () => describeSearchExtras(openEmbeddedDatabase));
  describe("texts", () => describeTexts(openEmbeddedDatabase));
  describe("columns of texts", () => describeTextColumns(openEmbeddedDatabase));
  describe("match", () => describeMatch(openEmbeddedDatabase));
  describe("indexes of filters", () => describeFilterIndexes(openEmbeddedDatabase));
  describe("planned search", () => describePlannedSearch(openEmbeddedDatabase));
  describe("graphs over fewer dimensions", () => describeGraphAxes(openEmbeddedDatabase));
  describe("category paths", () => describeCategoryPaths(openEmbeddedDatabase));

  test("writes go through although another client's statement fails the engine under them", async () => {
    const database = await openEmbeddedDatabase();
    const store = await openStore(database, filmsLayout("films"));
    const other = new pg.Client({ connectionString: database.connectionString });
    other.on("error", () => {});
    await other.connect();
    const failed = other
      .query(`select '${"[".repeat(100_000)}'::json`)
      .catch((error: Error) => error.message);
    const ids = Array.from({ length: 200 }, (_, n) => `film-${n}`);
    await Promise.all(ids.map((id) => store.writeRows("films", [upsert(id, 1, {}, [1, 0, 0, 0, 1])], null)));
    expect(await failed).toMatch(/restarts/);
    expect((await store.readSegments("films", ids)).size).toBe(ids.length);
    await database.close();
  });
});
