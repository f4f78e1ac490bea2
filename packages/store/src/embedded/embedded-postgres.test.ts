import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { vacuumWhereNeeded } from "./autovacuum.ts";
import { type EmbeddedPostgres, openEmbeddedPostgres } from "./embedded-postgres.ts";

const idleInTransactionMsMax = 300;
const faults: string[] = [];
let dataDir: string;
let database: EmbeddedPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "medley-embedded-"));
  database = await openEmbeddedPostgres({
    dataDir,
    port: 0,
    idleInTransactionMsMax,
    onFault: ({ reason }) => faults.push(reason),
  });
  pool = new pg.Pool({ connectionString: database.connectionString, max: 8 });
  pool.on("error", () => {});
});

afterAll(async () => {
  await pool.end();
  await database.close();
  rmSync(dataDir, { recursive: true });
});

async function connected(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.connectionString });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** A connection that is past its startup packet, without a driver in between. */
async function rawConnection(): Promise<{ socket: Socket; closed: Promise<string> }> {
  const socket = connect(database.port, "127.0.0.1");
  const chunks: Buffer[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<string>();
  const { promise: greeted, resolve: greet } = Promise.withResolvers<void>();
  socket.on("data", (bytes) => {
    chunks.push(bytes);
    greet();
  });
  socket.on("error", () => {}).on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  const startup = Buffer.from("\0\0\0\0\0\x03\0\0user\0postgres\0\0", "latin1");
  startup.writeInt32BE(startup.length, 0);
  socket.write(startup);
  await greeted;
  return { socket, closed };
}

/** Retried while the engine restarts. */
async function askUntilAnswered(sql: string): Promise<unknown[]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await pool.query(sql)).rows;
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

// Deep enough for the parser's recursion to overflow the engine's stack.
const trap = `select '${"[".repeat(100_000)}'::json`;

test("a statement that traps the engine is answered with an error, and the engine comes back with its data", async () => {
  await pool.query("create table kept (n int); insert into kept values (1)");
  const other = await connected();
  await other.query("begin; insert into kept values (2)");
  const lost = expect(other.query(trap)).rejects.toThrow(/failed in this statement and restarts/);
  const waiting = pool.query("select 1").catch((error: Error) => error);
  await lost;
  await waiting;
  expect(await askUntilAnswered("select n from kept")).toEqual([{ n: 1 }]);
  expect(faults).toHaveLength(1);
});

test("an extended-protocol statement that traps the engine is answered too", async () => {
  const client = await connected();
  // The driver took it for a statement without rows: the engine's answer ended well, but for what was left out.
  await expect(client.query("select $1::text::json", ["[".repeat(100_000)])).rejects.toThrow(/restarts/);
  expect(await askUntilAnswered("select 1 as one")).toEqual([{ one: 1 }]);
});

test("COPY FROM STDIN, which would end the engine, is refused and nobody else notices", async () => {
  const before = faults.length;
  await pool.query("create table copied (n int)");
  const client = await connected();
  await expect(client.query("  copy copied from stdin")).rejects.toThrow(/COPY FROM STDIN/);
  expect((await pool.query("select count(*)::int as rows from copied")).rows).toEqual([{ rows: 0 }]);
  expect(faults).toHaveLength(before);
});

test("COPY FROM STDIN behind another statement ends the engine, which comes back", async () => {
  const client = await connected();
  await expect(client.query("select 1; copy copied from stdin")).rejects.toThrow();
  expect(await askUntilAnswered("select 2 as two")).toEqual([{ two: 2 }]);
});

test("a message type the engine does not know, on which it loops for ever, ends its own connection only", async () => {
  const { socket, closed } = await rawConnection();
  socket.write(Buffer.from("z\0\0\0\x05\0", "latin1"));
  expect(await closed).toContain("unknown message type");
  expect((await pool.query("select 3 as three")).rows).toEqual([{ three: 3 }]);
});

test("a message of an impossible length ends its own connection only", async () => {
  const { socket, closed } = await rawConnection();
  socket.write(Buffer.from("Q\0\0\0\x02A\0", "latin1"));
  expect(await closed).toContain("impossible message length");
  expect((await pool.query("select 4 as four")).rows).toEqual([{ four: 4 }]);
});

test("an HTTP request at the port is cut off", async () => {
  const socket = connect(database.port, "127.0.0.1");
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  socket.on("error", () => {}).on("close", () => resolve());
  socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  await closed;
});

test("answers of many clients at once are never mixed up", async () => {
  const numbers = Array.from({ length: 400 }, (_, index) => index);
  const answers = await Promise.all(
    numbers.map(async (n) => {
      // Different types and statements: a Bind to another client's Parse would fail or lie.
      const text = n % 2 === 0 ? "select $1::int as answer" : "select $1::text || '!' as answer, 1 as more";
      return (await pool.query(text, [n])).rows[0].answer as unknown;
    }),
  );
  expect(answers).toEqual(numbers.map((n) => (n % 2 === 0 ? n : `${n}!`)));
});

test("a failed statement leaves the others' statements alone", async () => {
  const [bad, good] = await Promise.allSettled([
    pool.query("select 1 / $1::int", [0]),
    pool.query("select 10 / $1::int as quotient", [5]),
  ]);
  expect(bad).toMatchObject({ status: "rejected", reason: { code: "22012" } });
  expect(good).toMatchObject({ value: { rows: [{ quotient: 2 }] } });
});

test("what one client does in a transaction, others see after its end", async () => {
  const client = await connected();
  await pool.query("create table ended (n int)");
  await client.query("begin");
  await client.query("insert into ended values (1)");
  const seen = pool.query("select count(*)::int as rows from ended");
  await client.query("insert into ended values (2)");
  await client.query("commit");
  expect((await seen).rows).toEqual([{ rows: 2 }]);
  await client.end();
});

test("a client that breaks off inside a transaction is rolled back, and the others go on", async () => {
  const client = await connected();
  await pool.query("create table broken_off (n int)");
  await client.query("begin");
  await client.query("insert into broken_off values (1)");
  const seen = pool.query("select count(*)::int as rows from broken_off");
  // As the death of its process breaks it.
  client.connection.stream.destroy();
  expect((await seen).rows).toEqual([{ rows: 0 }]);
});

test("a client that idles inside a transaction is cut off and rolled back", async () => {
  const client = await connected();
  await pool.query("create table idled (n int)");
  await client.query("begin");
  await client.query("insert into idled values (1)");
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  client.once("end", resolve);
  expect((await pool.query("select count(*)::int as rows from idled")).rows).toEqual([{ rows: 0 }]);
  await ended;
});

test("a client that ends with a failed transaction open does not stop the others", async () => {
  const client = await connected();
  await client.query("begin");
  await expect(client.query("select 1 / 0")).rejects.toThrow();
  await client.end();
  expect((await pool.query("select 5 as five")).rows).toEqual([{ five: 5 }]);
});

test("a message of many packets, and its answer, arrive whole", async () => {
  const text = "abcdefgh".repeat(1_000_000);
  const { rows } = await pool.query("select $1::text as echo, length($1) as characters", [text]);
  expect(rows[0].characters).toBe(text.length);
  expect(rows[0].echo === text).toBe(true);
});

test("pgvector is there", async () => {
  await pool.query("create extension if not exists vector");
  const { rows } = await pool.query("select extversion from pg_extension where extname = 'vector'");
  expect(rows[0].extversion).toMatch(/^0\.(8|9|\d\d)/);
});

test("files do not grow with every change of a row, though the engine has no autovacuum", async () => {
  await pool.query("create table changed (n int, text text)");
  await pool.query("insert into changed select n, repeat('x', 200) from generate_series(1, 2000) n");
  const sizes: number[] = [];
  for (let round = 0; round < 4; round++) {
    await pool.query("update changed set n = n + 1");
    await pool.query("update changed set n = n + 1");
    expect(await vacuumWhereNeeded(database.connectionString)).toContain("public.changed");
    const { rows } = await pool.query("select pg_table_size('changed')::int as bytes");
    sizes.push(rows[0].bytes);
  }
  expect(sizes.at(-1)).toBeLessThanOrEqual((sizes[0] as number) * 1.5);
  expect(await vacuumWhereNeeded(database.connectionString)).not.toContain("public.changed");
});

test("a port that is taken is named, with the mend, and the data folder is free again", async () => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  const address = holder.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const folder = mkdtempSync(join(tmpdir(), "medley-port-"));
  const opening = openEmbeddedPostgres({ dataDir: folder, port });
  await expect(opening).rejects.toMatchObject({
    code: "port_taken",
    message: expect.stringContaining(String(port)),
    mend: expect.stringContaining("another port"),
  });
  await new Promise((resolve) => holder.close(resolve));
  const opened = await openEmbeddedPostgres({ dataDir: folder, port });
  expect(opened.port).toBe(port);
  await opened.close();
  rmSync(folder, { recursive: true });
});
