import { describe } from "vitest";
import { describeLettersAndRuns } from "./letters-and-runs.suite.ts";
import { describeMigrations } from "./migrations/migrations.suite.ts";
import { describeRows } from "./rows.suite.ts";
import { describeSearch } from "./search.suite.ts";
import { openEmbeddedDatabase } from "./test-database.fixture.ts";

describe("on the embedded engine", () => {
  describe("rows", () => describeRows(openEmbeddedDatabase));
  describe("letters and runs", () => describeLettersAndRuns(openEmbeddedDatabase));
  describe("migrations", () => describeMigrations(openEmbeddedDatabase));
  describe("search", () => describeSearch(openEmbeddedDatabase));
});
