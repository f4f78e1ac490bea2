import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodersPage, withTables } from "./encoder-tables.ts";

test("the figures of docs/ENCODERS.md are what the encoders give", async () => {
  const page = readFileSync(encodersPage, "utf8");
  expect(await withTables(page)).toBe(page);
});
