import { describe } from "vitest";
import { describeDeadLetters } from "./dead-letters.suite.ts";
import { describeFigures } from "./figures.suite.ts";
import { describeGenerations } from "./generations/generations.suite.ts";
import { describeRefreshes } from "./graph/refreshes.suite.ts";
import { describeLabels } from "./labels.suite.ts";
import { describeLettersAndRuns } from "./letters-and-runs.suite.ts";
import { describeMatch } from "./match.suite.ts";
import { describeMigrationRights, describeMigrations } from "./migrations/migrations.suite.ts";
import { describeProfiles } from "./profiles.suite.ts";
import { describeRows } from "./rows.suite.ts";
import { describeSearch } from "./search.suite.ts";
import { describeSearchExtras } from "./search-extras.suite.ts";
import { describeCategoryPaths } from "./search-plans/category-paths.suite.ts";
import { describePlannedSearch } from "./search-plans/planned-search.suite.ts";
import { openServerDatabase } from "./test-database.fixture.ts";
import { describeTexts } from "./texts.suite.ts";

const serverUrl = process.env.DATABASE_URL;
const open = () => openServerDatabase(serverUrl as string);

describe.skipIf(serverUrl === undefined)("on the server at DATABASE_URL", () => {
  describe("rows", () => describeRows(open));
  describe("dead letters", () => describeDeadLetters(open));
  describe("letters and runs", () => describeLettersAndRuns(open));
  describe("labels", () => describeLabels(open));
  describe("generations", () => describeGenerations(open));
  describe("figures", () => describeFigures(open));
  describe("migrations", () => describeMigrations(open));
  describe("rights to migrate", () => describeMigrationRights(open));
  describe("profiles", () => describeProfiles(open));
  describe("refreshes", () => describeRefreshes(open));
  describe("search", () => describeSearch(open));
  describe("search extras", () => describeSearchExtras(open));
  describe("texts", () => describeTexts(open));
  describe("match", () => describeMatch(open));
  describe("planned search", () => describePlannedSearch(open));
  describe("category paths", () => describeCategoryPaths(open));
});
