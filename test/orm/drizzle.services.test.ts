/** Migrations of Drizzle beside Medley's, in one database: neither touches what is the other's (docs/OPERATIONS.md). */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Collection, checkConfig } from "@medley/core";
import { buildIndex, migrate, openPool, openPostgresStore, type PostgresStore } from "@medley/store";
import { migrateBullmq } from "@medley/transport";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomRow, seededRandom } from "../bench/random-rows.ts";
import { OwnDatabase } from "../own-database.ts";
import { readCatalogueSnapshot } from "./catalogue-snapshot.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "medley-drizzle-"));

let database: OwnDatabase;
let connectionString: string;
let pool: pg.Pool;
let store: PostgresStore;
let before: Awaited<ReturnType<typeof readCatalogueSnapshot>>;

function films() {
  const [collection] = checkConfig({
    collections: {
      films: {
        fields: { title: "text", year: "number", genres: "categories" },
        spaces: { plot: { encoder: "text", field: "title" } },
      },
    },
  }) as [Collection];
  return { collection, layout: [{ space: "plot", offset: 0, dimensions: 8, encoderIdentity: "random" }] };
}

async function drizzle(...args: string[]): Promise<string> {
  const program = join(root, "node_modules/drizzle-kit/bin.cjs");
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...process.env, APP_DATABASE_URL: connectionString },
  });
  return stdout + stderr;
}

/** A table of the application's own, and Medley's view to query with types: `existing`, so that it is not Drizzle's to make. */
function writeSchema(columns: string, more = ""): void {
  writeFileSync(
    join(folder, "schema.ts"),
    `import { integer, pgSchema, pgTable, real, serial, text } from "drizzle-orm/pg-core";
const medley = pgSchema("medley");
export const films = medley.view("films", { id: text("id"), title: text("title"), year: real("year") }).existing();
export const users = pgTable("users", { id: serial("id").primaryKey(), name: text("name").notNull(), ${columns} });
${more}
`,
  );
}

const columnsOf = async (table: string) =>
  (
    await pool.query(
      "select column_name as name from information_schema.columns where table_schema = 'public' and table_name = $1 order by ordinal_position",
      [table],
    )
  ).rows.map(({ name }) => name);

describe.skipIf(process.env.DATABASE_URL === undefined)("Drizzle beside Medley (needs DATABASE_URL)", () => {
  beforeAll(async () => {
    database = await OwnDatabase.create(process.env.DATABASE_URL ?? "");
    connectionString = database.url;
    pool = openPool({ connectionString });
    const collections = [films()];
    await migrate(pool, collections);
    await migrateBullmq(connectionString);
    store = await openPostgresStore({ pool, collections });
    const random = seededRandom(1);
    const batch = Array.from({ length: 50 }, (_, n) => randomRow(n, films().layout, random));
    await store.writeRows("films", batch, null);
    await buildIndex(connectionString, "films");
    before = await readCatalogueSnapshot(pool);
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    writeFileSync(
      join(folder, "drizzle.config.ts"),
      `export default { dialect: "postgresql", schema: "./schema.ts", out: "./migrations", schemaFilter: ["public"],
  dbCredentials: { url: process.env["APP_DATABASE_URL"] } };\n`,
    );
  });

  afterAll(async () => {
    await pool.end();
    await database[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  test("generated migrations name nothing of Medley's, and leave all of it as it was", async () => {
    writeSchema('age: integer("age")');
    await drizzle("generate", "--name", "first");
    await drizzle("migrate");
    expect(await columnsOf("users")).toEqual(["id", "name", "age"]);
    writeSchema(
      'age: integer("age"), film: text("film")',
      'export const notes = pgTable("notes", { id: serial("id") });',
    );
    await drizzle("generate", "--name", "second");
    await drizzle("migrate");
    expect([await columnsOf("users"), await columnsOf("notes")]).toEqual([
      ["id", "name", "age", "film"],
      ["id"],
    ]);
    const written = readdirSync(join(folder, "migrations")).filter((name) => name.endsWith(".sql"));
    expect(written).toHaveLength(2);
    for (const name of written) {
      expect(readFileSync(join(folder, "migrations", name), "utf8")).not.toMatch(/medley|bullmq|vector/i);
    }
    expect(await readCatalogueSnapshot(pool)).toEqual(before);
  });

  test("push makes the database like the schema, but for Medley's schemas", async () => {
    writeSchema('age: integer("age"), film: text("film"), email: text("email")');
    await drizzle("push", "--force");
    expect([await columnsOf("users"), await columnsOf("notes")]).toEqual([
      ["id", "name", "age", "film", "email"],
      [],
    ]);
    writeSchema('film: text("film"), email: text("email")');
    await drizzle("push", "--force");
    expect(await columnsOf("users")).toEqual(["id", "name", "film", "email"]);
    expect(await readCatalogueSnapshot(pool)).toEqual(before);
  });

  test("Medley goes on, and an application's rows join its views", async () => {
    await pool.query("insert into users (name, film) values ('Ada', 'film-1')");
    const joined = await pool.query(
      "select users.name, films.title from users join medley.films on films.id = users.film",
    );
    expect(joined.rows).toEqual([{ name: "Ada", title: expect.stringContaining("number 1") }]);
    expect(await store.search({ collection: "films", like: "film-1", k: 1 })).toMatchObject([
      { id: "film-1" },
    ]);
  });

  test("the comparison sees a change", async () => {
    await pool.query("alter table medley_internal.films_g1 alter column title set not null");
    expect(await readCatalogueSnapshot(pool)).not.toEqual(before);
  });
});
