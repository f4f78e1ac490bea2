import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { buildIndex, dropIndex, mayIndex, readAllCollections } from "./collection-index.ts";
import type { IndexProgress } from "./index-progress.ts";
import { grantRoles } from "./migrations/roles.ts";
import { openPool } from "./pool.ts";
import {
  filmsLayout,
  openServerDatabase,
  openStore,
  type TestDatabase,
  upsert,
} from "./test-database.fixture.ts";

const serverUrl = process.env.DATABASE_URL;
const rowsCount = 10_000;
const role = `medley_index_${randomBytes(4).toString("hex")}`;
let database: TestDatabase;

const stateOf = async () => (await readAllCollections(database.pool))[0]?.index;
const indexes = async () => {
  const { rows } = await database.pool.query(
    "select indexrelid::regclass::text as name from pg_index where indrelid = 'medley_internal.films_g1'::regclass and not indisprimary",
  );
  return rows.map(({ name }) => name).sort();
};
const all = ["categories_2", "hnsw", "space_1"].map((name) => `medley_internal.films_g1_${name}`);

describe.skipIf(serverUrl === undefined)("the index on the server at DATABASE_URL", () => {
  beforeAll(async () => {
    database = await openServerDatabase(serverUrl as string);
    const store = await openStore(database, filmsLayout("films"));
    for (let start = 0; start < rowsCount; start += 1_000) {
      const rows = Array.from({ length: 1_000 }, (_, n) => {
        const at = start + n;
        const vector = [Math.sin(at), Math.cos(at), Math.sin(3 * at), Math.cos(7 * at), Math.sin(11 * at)];
        return upsert(`film-${at}`, 1, {}, vector);
      });
      await store.writeRows("films", rows, null);
    }
  });
  afterAll(() => database.close());
  beforeEach(() => dropIndex(database.connectionString, "films"));

  test("missing, built, kept, built anew, dropped", async () => {
    expect(await stateOf()).toBe("missing");
    const { connectionString } = database;
    const told: IndexProgress[] = [];
    const options = { workersMax: 0, onProgress: (progress: IndexProgress) => told.push(progress) };
    expect(await buildIndex(connectionString, "films", options)).toEqual({ state: "built", rows: rowsCount });
    expect(await stateOf()).toBe("ready");
    // An index of categories is built within one look.
    const graph = told.findLast(({ phase }) => phase.startsWith("all spaces"));
    expect(graph).toMatchObject({ phase: expect.stringMatching(/index/), rowsTotal: rowsCount });
    expect(told.every(({ rowsDone }) => rowsDone >= 0 && rowsDone <= rowsCount)).toBe(true);
    expect(await buildIndex(connectionString, "films")).toMatchObject({ state: "kept" });
    expect(await buildIndex(connectionString, "films", { rebuild: true })).toMatchObject({ state: "built" });
    expect(await indexes()).toEqual(all);
    await dropIndex(connectionString, "films");
    expect([await stateOf(), await indexes()]).toEqual(["missing", []]);
    const fusedOnly = { exclusive: true, fusedOnly: true };
    expect(await buildIndex(connectionString, "films", fusedOnly)).toMatchObject({ state: "built" });
    expect([await stateOf(), await indexes()]).toEqual(["partial", ["medley_internal.films_g1_hnsw"]]);
    expect(await buildIndex(connectionString, "films", fusedOnly)).toMatchObject({ state: "kept" });
  });

  test("graphs are built with more candidates than rows that come later get, also when they are built anew", async () => {
    const { connectionString, pool } = database;
    const candidatesOf = async () => {
      const { rows } = await pool.query<{ options: string[] | null }>(
        "select reloptions as options from pg_class where relname = 'films_g1_hnsw'",
      );
      return rows[0]?.options ?? null;
    };
    const whileBuilt: Promise<string[] | null>[] = [];
    const onProgress = () => void whileBuilt.push(candidatesOf());
    const options = { workersMax: 0, fusedOnly: true, onProgress };
    await buildIndex(connectionString, "films", options);
    expect(await candidatesOf()).toBeNull();
    expect(await Promise.all(whileBuilt)).toContainEqual(["ef_construction=160"]);
    whileBuilt.length = 0;
    await buildIndex(connectionString, "films", { ...options, rebuild: true });
    expect(await candidatesOf()).toBeNull();
    expect(await Promise.all(whileBuilt)).toContainEqual(["ef_construction=160"]);
  });

  test("a build that is cancelled leaves nothing behind, one that broke off is begun anew", async () => {
    const { connectionString } = database;
    const controller = new AbortController();
    const cancelled = await buildIndex(connectionString, "films", {
      workersMax: 0,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect([cancelled.state, await indexes()]).toEqual(["cancelled", []]);
    const broken = new pg.Client({ connectionString });
    await broken.connect();
    const sql =
      "create index concurrently films_g1_hnsw on medley_internal.films_g1 using hnsw (embedding halfvec_ip_ops)";
    const outcome = broken
      .query(`set statement_timeout = 300`)
      .then(() => broken.query(sql))
      .catch((error) => error.code);
    expect(await outcome).toBe("57014");
    await broken.end();
    expect(await stateOf()).toBe("broken");
    expect(await buildIndex(connectionString, "films")).toMatchObject({ state: "built" });
    expect([await stateOf(), await indexes()]).toEqual(["ready", all]);
  });

  test("two at once: one builds, the other is told; the server's settings are back afterwards", async () => {
    const { connectionString } = database;
    const building = buildIndex(connectionString, "films", { memoryMegabytes: 64, workersMax: 0 });
    await sleep(150);
    await expect(buildIndex(connectionString, "films")).rejects.toMatchObject({ code: "index_building" });
    await expect(dropIndex(connectionString, "films")).rejects.toMatchObject({ code: "index_building" });
    expect(await building).toMatchObject({ state: "built" });
  });

  test("a process that is killed while it builds leaves nothing locked", async () => {
    const { connectionString, pool } = database;
    const writer = await pool.connect();
    // A concurrent build waits for whoever has written the table before it.
    await writer.query("begin; update medley_internal.films_g1 set version = version where id = 'film-1'");
    const fixture = fileURLToPath(new URL("./killed-index.fixture.ts", import.meta.url));
    const building = spawn(process.execPath, [fixture, connectionString], { stdio: "inherit" });
    const isWaiting = async () => {
      const text =
        "select from pg_stat_activity where query like 'create index%' and wait_event_type = 'Lock' and datname = current_database()";
      return (await pool.query(text)).rowCount === 1;
    };
    await expect.poll(isWaiting, { timeout: 20_000 }).toBe(true);
    building.kill("SIGKILL");
    await once(building, "exit");
    await expect.poll(isWaiting, { timeout: 10_000 }).toBe(false);
    await writer.query("rollback");
    writer.release();
    expect(await buildIndex(connectionString, "films")).toMatchObject({ state: "built" });
  });

  test("a graph that does not fit into the memory given is warned of, with how much it takes", async () => {
    const warnings: string[] = [];
    const onWarning = (warning: string) => warnings.push(warning);
    await buildIndex(database.connectionString, "films", { memoryMegabytes: 1, workersMax: 0, onWarning });
    expect(warnings).toEqual([expect.stringMatching(/10000 rows takes about 8 MB.*is 1 MB.*--memory 8$/)]);
    await buildIndex(database.connectionString, "films", { memoryMegabytes: 8, rebuild: true, onWarning });
    expect(warnings).toHaveLength(1);
  });

  test("a role that does not own the table can't, and is told so", async () => {
    await database.pool.query(`create role ${role} login password '${role}'`);
    try {
      await grantRoles(database.pool, [{ name: role, kind: "app" }]);
      const url = new URL(database.connectionString);
      Object.assign(url, { username: role, password: role });
      const pool = openPool({ connectionString: url.href });
      expect([await mayIndex(pool, "films"), await mayIndex(database.pool, "films")]).toEqual([false, true]);
      await expect(buildIndex(url.href, "films")).rejects.toMatchObject({ code: "permission_denied" });
      await pool.end();
    } finally {
      await database.pool.query(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
