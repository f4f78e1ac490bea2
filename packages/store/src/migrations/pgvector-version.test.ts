import { expect, test } from "vitest";
import { pgvectorWarning, requirePgvector } from "./pgvector-version.ts";

test.for([
  ["0.7.4", false],
  ["0.8.0", true],
  ["0.8.0-beta", true],
  ["0.10.0", true],
  ["1.0", true],
] as const)("pgvector %s will do: %s", ([found, will]) => {
  if (will) expect(() => requirePgvector(found)).not.toThrow();
  else
    expect(() => requirePgvector(found)).toThrow(
      expect.objectContaining({ code: "schema_behind", mend: expect.any(String) }),
    );
});

test("one that is not installed will not do", () => {
  expect(() => requirePgvector(null)).toThrow(/missing/);
});

test.for([
  ["0.8.0", true],
  ["0.8.3", true],
  ["0.8.4", false],
  ["0.8.10", false],
  ["0.9.0", false],
  ["1.0.0", false],
] as const)("pgvector %s is warned of: %s", ([found, warned]) => {
  expect(pgvectorWarning(found) !== null).toBe(warned);
});
