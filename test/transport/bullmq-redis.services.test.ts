import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer } from "node:tls";
import type { Transport } from "@medley/core";
import { openBullmqRedis } from "@medley/transport";
import { describeTransport, type QueueUnderTest } from "@medley/transport/conformance";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { lineTo, startBullmqRedis } from "./bullmq-redis-queue.ts";
import { certificate, key } from "./certificate.ts";
import { startHolder } from "./holder.ts";

const serverUrl = process.env.REDIS_URL as string;
const packetOf = (collection: string, records = 0) => ({
  collection,
  envelopes: Array.from({ length: records }, (_, at) => ({
    id: `${at}`,
    version: 1n as never,
    op: "upsert" as const,
    fields: {},
    source: "a.csv:1",
  })),
  chunk: null,
});

describe.skipIf(process.env.REDIS_URL === undefined)("on the server at REDIS_URL", () => {
  describeTransport("BullMQ on Redis", () => startBullmqRedis(serverUrl));

  describe("beyond what all transports do", () => {
    let queue: QueueUnderTest & { readonly prefix: string };
    const opened: Transport[] = [];
    const open = async (options: Partial<Parameters<typeof openBullmqRedis>[0]> = {}) => {
      const transport = await openBullmqRedis({ url: serverUrl, prefix: queue.prefix, ...options });
      opened.push(transport);
      return transport;
    };
    beforeAll(async () => {
      queue = await startBullmqRedis(serverUrl);
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((transport) => transport.close()));
      await queue.empty();
    });
    afterAll(() => queue.stop());

    test("what another process sends is heard, not polled for", async () => {
      const [sender, ...receivers] = [
        await open(),
        await open({ pollIntervalMs: 3_600_000 }),
        await open({ pollIntervalMs: 3_600_000 }),
      ];
      const received: string[] = [];
      for (const receiver of receivers) {
        await receiver.consume("records", async ({ packet }) => void received.push(packet.collection), {
          packetsInFlightMax: 1,
        });
      }
      for (let sent = 1; sent <= 20; sent += 1) {
        await sender.send("records", packetOf(`packet-${sent}`));
        // Now and then all are idle again before the next, now and then not.
        await sleep(sent % 3 === 0 ? 50 : 0);
      }
      await expect.poll(() => received.length, { timeout: 10_000 }).toBe(20);
    });

    test("a line that has gone silent fails what is asked over it, does not hold up closing, and is got over", async () => {
      const { line, url } = await lineTo(serverUrl);
      const transport = await open({ url, commandMsMax: 500 });
      const received: string[] = [];
      await transport.consume("records", async ({ packet }) => void received.push(packet.collection), {
        packetsInFlightMax: 1,
      });
      line.stall();
      const unavailable = expect.objectContaining({ code: "transport_unavailable" });
      await expect(transport.send("records", packetOf("a"))).rejects.toEqual(unavailable);
      await expect(transport.backlog("records")).rejects.toEqual(unavailable);
      await line.mend();
      await (await open()).send("records", packetOf("b"));
      await expect.poll(() => received, { timeout: 20_000 }).toContain("b");
      line.stall();
      await transport.close();
      await line.cut();
    }, 60_000);

    test("how much of a packet is done can be seen in the queue, while it is in hand", async () => {
      const transport = await open();
      const looked = Promise.withResolvers<void>();
      await transport.consume(
        "records",
        async (delivery) => {
          delivery.report?.(1);
          await sleep(1_100);
          delivery.report?.(40);
          delivery.report?.(41);
          await looked.promise;
        },
        { packetsInFlightMax: 1 },
      );
      await transport.send("records", packetOf("films", 100));
      const connection = new Redis(serverUrl, { maxRetriesPerRequest: null });
      const dashboard = new Queue("medley-records", { connection, prefix: queue.prefix });
      const progress = async () => (await dashboard.getActive()).map((job) => job.progress);
      await expect.poll(progress, { timeout: 10_000 }).toEqual([{ done: 40, of: 100 }]);
      looked.resolve();
      await dashboard.close();
      connection.disconnect();
    });

    test("a server that forgets what it accepts when it restarts is told of, no other", async () => {
      const warnings: string[] = [];
      await open({ onWarning: (warning) => warnings.push(warning) });
      const redis = new Redis(serverUrl);
      const [, appendOnly] = (await redis.config("GET", "appendonly")) as string[];
      redis.disconnect();
      const told = warnings.some((warning) => warning.startsWith("appendonly of Redis is off"));
      expect(told).toBe(appendOnly === "no");
    });

    describe("over TLS", () => {
      const sockets = new Set<Socket>();
      const { hostname, port } = new URL(serverUrl ?? "redis://none");
      const server = createServer({ key, cert: certificate }, (near) => {
        const far = connect({ host: hostname, port: Number(port) });
        for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
        near.pipe(far).pipe(near);
      });
      let url: string;
      let folder: string;
      beforeAll(async () => {
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        url = `rediss://localhost:${(server.address() as { port: number }).port}`;
        folder = await mkdtemp(join(tmpdir(), "medley-tls-"));
      });
      afterAll(async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
        await rm(folder, { recursive: true });
      });

      test("a certificate that nobody vouches for is refused", async () => {
        await expect(open({ url })).rejects.toMatchObject({
          code: "transport_unavailable",
          message: expect.stringContaining("self-signed"),
        });
      });

      test("one of an authority the process was told of is taken", async () => {
        const authority = join(folder, "authority.pem");
        await writeFile(authority, certificate);
        const transport = await open();
        await transport.send("records", packetOf("held"));
        const holder = await startHolder("hold-packet.ts", [url, queue.prefix, "2000"], {
          NODE_EXTRA_CA_CERTS: authority,
        });
        expect(await transport.backlog("records")).toEqual({ waiting: 0, inFlight: 1 });
        await holder.kill();
      });
    });
  });
});
