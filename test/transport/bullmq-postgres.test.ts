import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedPostgres } from "@medley/store";
import { openBullmqPostgres } from "@medley/transport";
import { describeTransport } from "@medley/transport/conformance";
import pg from "pg";
import { expect, test } from "vitest";
import { startBullmqPostgres } from "./bullmq-postgres-queue.ts";

describeTransport("BullMQ on PGlite", async () => {
  const pglite = await startPglite();
  return startBullmqPostgres(pglite.connectionString, () => pglite.stop());
});

test("a database the queue was not made in: schema_behind", async () => {
  const pglite = await startPglite();
  await expect(openBullmqPostgres({ connectionString: pglite.connectionString })).rejects.toMatchObject({
    code: "schema_behind",
    mend: expect.any(String),
  });
  await pglite.stop();
});

test("on PGlite, which has no autovacuum, the queue's files do not grow with every packet", async () => {
  const pglite = await startPglite();
  const queue = await startBullmqPostgres(pglite.connectionString, () => pglite.stop());
  const transport = await queue.open();
  const packetCount = 450;
  const packetBytes = 40_000;
  let receivedCount = 0;
  const receive = async () => {
    receivedCount += 1;
  };
  await transport.consume("records", receive, { packetsInFlightMax: 4 });
  for (let sent = 0; sent < packetCount; sent += 1) {
    // Random, so that it does not compress.
    const collection = randomBase64(packetBytes);
    await transport.send("records", { collection, envelopes: [], chunk: null });
  }
  await expect.poll(() => receivedCount, { timeout: 20_000 }).toBe(packetCount);
  await transport.close();
  const client = new pg.Client({ connectionString: pglite.connectionString });
  await client.connect();
  const { rows } = await client.query<{ size: string }>(
    "select pg_total_relation_size('bullmq.job') as size",
  );
  await client.end();
  expect(Number(rows[0]?.size)).toBeLessThan((packetCount * packetBytes) / 1.5);
  await queue.stop();
}, 60_000);

function randomBase64(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array((bytes * 3) / 4))).toString("base64");
}

async function startPglite(): Promise<{ connectionString: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), "medley-transport-"));
  const postgres = await openEmbeddedPostgres({ dataDir, port: 0 });
  return {
    connectionString: postgres.connectionString,
    stop: async () => {
      await postgres.close();
      await rm(dataDir, { recursive: true });
    },
  };
}
