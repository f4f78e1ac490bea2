import { describe } from "vitest";
import { openEmbeddedDatabase } from "../test-database.fixture.ts";
import { describeGraphGenerations } from "./graph-generations.suite.ts";
import { describeRefreshes } from "./refreshes.suite.ts";

describe("on the embedded engine", () => {
  describeRefreshes(openEmbeddedDatabase);
  describe("of two generations", () => describeGraphGenerations(openEmbeddedDatabase));
});
