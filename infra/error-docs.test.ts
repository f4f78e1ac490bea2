import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorsMarkdown, errorsPage } from "./error-docs.ts";

test("docs/ERRORS.md is what the table of errors says; else: node infra/error-docs.ts --write", () => {
  expect(readFileSync(errorsPage, "utf8")).toBe(errorsMarkdown());
});
