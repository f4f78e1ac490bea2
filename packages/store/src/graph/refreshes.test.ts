import { describe } from "vitest";
import { openEmbeddedDatabase } from "../test-database.fixture.ts";
import { describeRefreshes } from "./refreshes.suite.ts";

describe("on the embedded engine", () => describeRefreshes(openEmbeddedDatabase));
