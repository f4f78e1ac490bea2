import { randomUUID } from "node:crypto";
import { describeTransport } from "@medley/transport/conformance";
import pg from "pg";
import { describe } from "vitest";
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
});

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  await client.query(statement);
  await client.end();
}
