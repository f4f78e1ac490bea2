import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { migrateBullmq, openBullmqPostgres } from "@medley/transport";
import { describeTransport } from "@medley/transport/conformance";
import pg from "pg";
import { describe, test } from "vitest";
import { startBullmqPostgres } from "./bullmq-postgres-queue.ts";

const serverUrl = process.env.DATABASE_URL;

describe.skipIf(serverUrl === undefined)("on the server at DATABASE_URL", () => {
  describeTransport("BullMQ on Postgres", async () => {
    const database = `medley_transport_${randomUUID().slice(0, 8)}`;
    await administer(`create database ${database}`);
    const url = new URL(serverUrl as string);
    url.pathname = `/${database}`;
    return startBullmqPostgres(url.href, () => administer(`drop database ${database} with (force)`));
  });

  // Its listener was ended in the middle of connecting, which left `close` waiting for ever: one in a dozen times.
  test("a transport closed at any moment after it opened does close", async () => {
    await migrateBullmq(serverUrl as string);
    for (let pauseMs = 0; pauseMs < 40; pauseMs += 1) {
      const transport = await openBullmqPostgres({ connectionString: serverUrl as string });
      await sleep(pauseMs % 10);
      await transport.close();
    }
  });
});

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}
