import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { openBullmqRedis } from "./bullmq-redis.ts";

// What needs a server is tested in test/transport.

const prefix = "medley";

test.for([{ leaseMs: 1.5 }, { pollIntervalMs: -1 }, { commandMsMax: Number.NaN }])(
  "%j is a programmer's error",
  async (options) => {
    await expect(openBullmqRedis({ url: "redis://127.0.0.1:1", prefix, ...options })).rejects.toThrow(
      "whole number",
    );
  },
);

test.for(["", "a:b", "{a}"])("the prefix %j is a programmer's error", async (unfit) => {
  await expect(openBullmqRedis({ url: "redis://127.0.0.1:1", prefix: unfit })).rejects.toThrow("prefix");
});

test.for(["", "127.0.0.1:6379", "http://user:secret@127.0.0.1:6379"])(
  "%j is no address of Redis, which is said without quoting it",
  async (url) => {
    const opening = openBullmqRedis({ url, prefix });
    await expect(opening).rejects.toMatchObject({
      code: "usage",
      mend: expect.stringContaining("rediss://"),
      message: expect.not.stringContaining("secret"),
    });
  },
);

test("nobody listens: transport_unavailable, which does not quote the password", async () => {
  await expect(openBullmqRedis({ url: "redis://:secret@127.0.0.1:1", prefix })).rejects.toMatchObject({
    code: "transport_unavailable",
    mend: expect.any(String),
    message: expect.not.stringContaining("secret"),
  });
});

test("somebody listens and never answers: transport_unavailable", async () => {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const url = `redis://127.0.0.1:${port}`;
  await expect(openBullmqRedis({ url, prefix, commandMsMax: 300 })).rejects.toMatchObject({
    code: "transport_unavailable",
  });
  server.close();
});
