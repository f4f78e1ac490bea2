import { createServer } from "node:net";
import { expect, test } from "vitest";
import { openBullmqPostgres } from "./bullmq-postgres.ts";
import { migrateBullmq } from "./migrate.ts";

// What needs a server is tested in test/transport, on PGlite and on Postgres.

test.for([{ connectionsMax: 0 }, { leaseMs: 1.5 }, { pollIntervalMs: -1 }, { queryMsMax: Number.NaN }])(
  "%j is a programmer's error",
  async (options) => {
    await expect(openBullmqPostgres({ connectionString: "", ...options })).rejects.toThrow("whole number");
  },
);

test("nobody listens: transport_unavailable", async () => {
  const connectionString = "postgres://postgres@127.0.0.1:1/postgres";
  const unavailable = { code: "transport_unavailable", mend: expect.any(String) };
  await expect(openBullmqPostgres({ connectionString })).rejects.toMatchObject(unavailable);
  await expect(migrateBullmq(connectionString)).rejects.toMatchObject(unavailable);
});

test("somebody listens and never answers: transport_unavailable", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  const connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await expect(openBullmqPostgres({ connectionString, queryMsMax: 300 })).rejects.toMatchObject({
    code: "transport_unavailable",
  });
  server.close();
});
