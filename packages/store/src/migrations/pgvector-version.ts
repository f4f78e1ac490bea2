import { MedleyError } from "@medley/core";
import type pg from "pg";

/** Oldest that has iterative index scans. */
const versionMin = "0.8.0";
/**
 * Before 0.8.2 a parallel index build can write beyond its memory (CVE-2026-3172); before 0.8.4 an HNSW index that is vacuumed
 * while it is written to can be left damaged.
 */
const versionSafeMin = "0.8.4";

const update =
  "install a newer pgvector on the server, then run in this database: alter extension vector update";

/** Throws `MedleyError` `schema_behind` for a version that lacks what searches need; null: it is not installed. */
export function requirePgvector(found: string | null): void {
  if (found !== null && !isBelow(found, versionMin)) return;
  throw new MedleyError("schema_behind", `pgvector is ${found ?? "missing"}; Medley needs 0.8 or newer`, {
    mend: update,
  });
}

/** What to say of a version that works but has known faults; null: nothing. */
export function pgvectorWarning(found: string): string | null {
  if (!isBelow(found, versionSafeMin)) return null;
  return (
    `pgvector is ${found}: before ${versionSafeMin} a parallel index build can overrun its memory (CVE-2026-3172), and an HNSW ` +
    `index can be damaged by a vacuum under writes; ${update}; then medley index --rebuild`
  );
}

export async function readPgvectorWarning(pool: pg.Pool): Promise<string | null> {
  const { rows } = await pool.query<{ version: string }>(
    "select extversion as version from pg_extension where extname = 'vector'",
  );
  return rows[0] === undefined ? null : pgvectorWarning(rows[0].version);
}

function isBelow(found: string, wanted: string): boolean {
  const [parts, bounds] = [found, wanted].map((version) => version.split(".").map(Number)) as [
    number[],
    number[],
  ];
  const place = bounds.findIndex((bound, index) => (parts[index] ?? 0) !== bound);
  return place !== -1 && (parts[place] ?? 0) < (bounds[place] as number);
}
