import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

export interface MigrationFile {
  /** `0001-foundation.sql`, `functions/search.sql`: its name in the ledger. */
  readonly name: string;
  readonly sql: string;
  /** Hex sha256 of the text. */
  readonly checksum: string;
}

/** Applied once each, in order; never changed after their release. */
export function readMigrations(): readonly MigrationFile[] {
  return readFolder("migrations", "");
}

/** `create or replace` only: applied again, in order of name, when their text changes. */
export function readFunctions(): readonly MigrationFile[] {
  return readFolder("functions", "functions/");
}

function readFolder(folder: string, prefix: string): readonly MigrationFile[] {
  const root = new URL(`../../sql/${folder}/`, import.meta.url);
  return readdirSync(root)
    .filter((file) => file.endsWith(".sql"))
    .sort()
    .map((file) => {
      const sql = readFileSync(new URL(file, root), "utf8");
      return { name: prefix + file, sql, checksum: createHash("sha256").update(sql).digest("hex") };
    });
}
