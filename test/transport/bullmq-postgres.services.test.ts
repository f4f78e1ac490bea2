import { setTimeout as sleep } from "node:timers/promises";
import { migrateBullmq, openBullmqPostgres } from "@medley/transport";
import { describeTransport } from "@medley/transport/conformance";
import { describe, test } from "vitest";
import { OwnDatabase } from "../own-database.ts";
import { startBullmqPostgres } from "./bullmq-postgres-queue.ts";

const serverUrl = process.env.DATABASE_URL;

describe.skipIf(serverUrl === undefined)("on the server at DATABASE_URL", () => {
  describeTransport("BullMQ on Postgres", async () => {
    const database = await OwnDatabase.create(serverUrl as string);
    return startBullmqPostgres(database.url, () => database[Symbol.asyncDispose]());
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
