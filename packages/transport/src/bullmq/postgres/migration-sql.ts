import { strict as assert } from "node:assert";
import { BULLMQ_MAJOR_VERSION, LATEST_SCHEMA_VERSION, runMigrations } from "bullmq";
import pg from "pg";
import { faultOf } from "../../lease-consumer.ts";

const connectMsMax = 30_000;

/**
 * What `migrateBullmq` would run, for an administrator to review and run by hand; null where BullMQ's schema is up to date.
 * Changes nothing. Throws `MedleyError` `transport_unavailable`.
 */
export async function bullmqMigrationSql(connectionString: string): Promise<string | null> {
  let version: number;
  try {
    version = await readVersion(connectionString);
  } catch (error) {
    throw faultOf(error, "Postgres", "looking at the schema bullmq");
  }
  if (version >= LATEST_SCHEMA_VERSION) return null;
  const statements: string[] = [];
  const recorder = {
    async query(text: string, values: readonly unknown[] = []) {
      // All that is read from the answers: which migrations are there already.
      if (/^select coalesce\(max\(/i.test(text)) {
        return { rows: [{ version, min_client_version: BULLMQ_MAJOR_VERSION }] };
      }
      statements.push(`${withLiterals(text, values)};`);
      return { rows: [] };
    },
  };
  await runMigrations(recorder as unknown as Parameters<typeof runMigrations>[0], "bullmq", {
    skipVersionCheck: true,
  });
  return statements.join("\n");
}

async function readVersion(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: connectMsMax });
  client.on("error", () => {});
  await client.connect();
  try {
    const { rows: found } = await client.query("select to_regclass('bullmq.migration') is not null as there");
    if (!found[0].there) return 0;
    const { rows } = await client.query(
      "select coalesce(max(version), 0)::int as version from bullmq.migration",
    );
    return rows[0].version;
  } finally {
    await client.end();
  }
}

function withLiterals(text: string, values: readonly unknown[]): string {
  if (values.length === 0) return text;
  return text.replace(/\$(\d+)/g, (_, place) => {
    const value = values[Number(place) - 1];
    assert(typeof value === "string" || typeof value === "number", "a plain value");
    return typeof value === "number" ? String(value) : pg.escapeLiteral(value);
  });
}
