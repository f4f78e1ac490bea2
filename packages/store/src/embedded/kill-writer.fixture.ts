/** Writes numbered rows to the data folder it is given, one statement each, and says each number once it is acknowledged. */
import pg from "pg";
import { openEmbeddedPostgres } from "./embedded-postgres.ts";

const database = await openEmbeddedPostgres({ dataDir: process.argv[2] as string, port: 0 });
const client = new pg.Client({ connectionString: database.connectionString });
await client.connect();
await client.query("create table if not exists acknowledged (n int)");
const { rows } = await client.query("select coalesce(max(n), 0) as highest from acknowledged");
for (let n = rows[0].highest + 1; ; n++) {
  await client.query("insert into acknowledged values ($1)", [n]);
  process.stdout.write(`${n}\n`);
}
