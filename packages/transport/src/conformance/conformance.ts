import { strict as assert } from "node:assert";
import type { Channel, Delivery, Transport } from "@medley/core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { describeAccidents } from "./accidents.ts";
import { type Bench, envelopesOf, inbox, packetOf, type QueueUnderTest, until } from "./bench.ts";
import { describeLog } from "./log.ts";

export type { QueueUnderTest } from "./bench.ts";

const vectorsPerPacketMax = 100;

interface ConformanceOptions {
  /** Default `packets`. */
  readonly unit?: Transport["unit"];
  /** In this process's memory: there are no processes to kill and no line to cut. Default false. */
  readonly inProcess?: boolean;
}

/**
 * What every adapter of `Transport` does, and then what queues or logs do. `start` should give it a lease (of a log: a session)
 * of a second or two: some tests wait for one to run out. A queue promises no order, and nothing here looks at it.
 */
export function describeTransport(
  name: string,
  start: () => Promise<QueueUnderTest>,
  { unit = "packets", inProcess = false }: ConformanceOptions = {},
): void {
  describe(name, () => {
    let queue: QueueUnderTest | undefined;
    const opened: Transport[] = [];
    const bench: Bench = {
      unit,
      packetOf: (collection, size) =>
        unit === "records" ? { ...packetOf(collection, size), chunk: null } : packetOf(collection, size),
      queue: () => {
        assert(queue !== undefined, "the queue did not start");
        return queue;
      },
      open: async () => bench.keep(await bench.queue().open()),
      keep: (transport) => {
        opened.push(transport);
        return transport;
      },
    };
    beforeAll(async () => {
      queue = await start();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((transport) => transport.close()));
      await queue?.empty();
    });
    afterAll(async () => {
      await queue?.stop();
    });
    describeDelivery(bench);
    describeClosing(bench);
    if (unit === "packets") describeQueue(bench);
    else describeLog(bench);
    describeAccidents(bench, { inProcess });
  });
}

function describeDelivery(bench: Bench): void {
  test("what is sent is delivered, on its own channel", async () => {
    const transport = await bench.open();
    const sent = bench.packetOf("a", { vectors: 3 });
    await transport.send("vectors", sent);
    const records = await inbox(transport, "records");
    const vectors = await inbox(transport, "vectors");
    await until(() => envelopesOf(vectors.deliveries).length === 3);
    expect(envelopesOf(vectors.deliveries)).toEqual(sent.envelopes);
    for (const { packet, attempt } of vectors.deliveries) {
      expect(packet.collection).toBe("a");
      expect(attempt).toBe(1);
    }
    expect(records.deliveries).toEqual([]);
  });

  test("a packet sent to a waiting consumer is delivered", async () => {
    const transport = await bench.open();
    const received = await inbox(transport, "records");
    await transport.send("records", bench.packetOf("a"));
    await received.count(1);
  });

  test("a packet leaves the queue when its receiver resolves, not before", async () => {
    const transport = await bench.open();
    const release = Promise.withResolvers<void>();
    const received = await inbox(transport, "records", { receive: () => release.promise });
    await transport.send("records", bench.packetOf("a"));
    await received.count(1);
    expect(await transport.backlog("records")).toEqual({ waiting: 0, inFlight: 1 });
    release.resolve();
    await until(async () => (await transport.backlog("records")).inFlight === 0);
    expect(await transport.backlog("records")).toEqual({ waiting: 0, inFlight: 0 });
  });

  test("a rejected packet is delivered again, with the next attempt's number", async () => {
    const transport = await bench.open();
    const received = await inbox(transport, "records", {
      receive: async ({ attempt }) => {
        if (attempt < 4) throw new Error("not yet");
      },
    });
    await transport.send("records", bench.packetOf("a"));
    await received.count(4);
    expect(received.deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    await until(async () => (await transport.backlog("records")).inFlight === 0);
    expect(await transport.backlog("records")).toEqual({ waiting: 0, inFlight: 0 });
  });

  test("a packet that waits for its next try lets others pass, and is counted as waiting", async () => {
    const transport = await bench.open();
    const received = await inbox(transport, "records", {
      receive: async ({ packet, attempt }) => {
        if (packet.collection === "bad" && attempt < 8) throw new Error("not yet");
      },
    });
    await transport.send("records", bench.packetOf("bad"));
    await received.count(5);
    await transport.send("records", bench.packetOf("good"));
    await until(() => received.deliveries.some(({ packet }) => packet.collection === "good"));
    await until(async () => (await transport.backlog("records")).waiting === 1);
  });

  test("the age is that of the oldest packet, also while it is in hand, and 0 where there is none", async () => {
    const transport = await bench.open();
    // A log's age is known to those who consume it.
    expect(await transport.oldestAgeMs("records")).toBe(bench.unit === "packets" ? 0 : null);
    await transport.send("records", bench.packetOf("a"));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await transport.send("records", bench.packetOf("b"));
    const release = Promise.withResolvers<void>();
    const received = await inbox(transport, "records", {
      packetsInFlightMax: 1,
      receive: () => release.promise,
    });
    await received.count(1);
    expect(await transport.oldestAgeMs("records")).toBeGreaterThanOrEqual(290);
    release.resolve();
    await until(async () => (await transport.oldestAgeMs("records")) === 0);
  });

  test("a packet of 2 MB passes", async () => {
    const transport = await bench.open();
    const sent = bench.packetOf("large", { vectors: vectorsPerPacketMax, textChars: 20_000 });
    await transport.send("vectors", sent);
    const received = await inbox(transport, "vectors");
    await until(() => envelopesOf(received.deliveries).length === vectorsPerPacketMax);
    expect(envelopesOf(received.deliveries)).toEqual(sent.envelopes);
  });

  test("a consumer has no more packets in hand than it may", async () => {
    const transport = await bench.open();
    for (const name of ["a", "b", "c", "d", "e"]) await transport.send("records", bench.packetOf(name));
    const release = Promise.withResolvers<void>();
    const received = await inbox(transport, "records", {
      packetsInFlightMax: 2,
      receive: () => release.promise,
    });
    await received.count(2);
    expect(await transport.backlog("records")).toEqual({ waiting: 3, inFlight: 2 });
    release.resolve();
    await received.count(5);
  });
}

function describeClosing(bench: Bench): void {
  test("closing a consumer lets what it has in hand finish, and takes nothing new", async () => {
    const transport = await bench.open();
    const release = Promise.withResolvers<void>();
    const received = await inbox(transport, "records", {
      packetsInFlightMax: 1,
      receive: () => release.promise,
    });
    await transport.send("records", bench.packetOf("a"));
    await transport.send("records", bench.packetOf("b"));
    await received.count(1);
    const closed = received.consumer.close({ graceMs: 20_000 });
    release.resolve();
    await closed;
    expect(received.deliveries).toHaveLength(1);
    expect(await transport.backlog("records")).toEqual({ waiting: 1, inFlight: 0 });
  });

  test("what is over the grace is aborted and given back, and its late success is not heard", async () => {
    const transport = await bench.open();
    const release = Promise.withResolvers<void>();
    const signals: AbortSignal[] = [];
    const received = await inbox(transport, "records", {
      receive: (_, signal) => {
        signals.push(signal);
        return release.promise;
      },
    });
    await transport.send("records", bench.packetOf("a"));
    await received.count(1);
    await received.consumer.close({ graceMs: 0 });
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    expect(await transport.backlog("records")).toEqual({ waiting: 1, inFlight: 0 });
    release.resolve();
    const next = await inbox(transport, "records");
    await next.count(1);
    // A log counts the tries of one process.
    expect(next.deliveries.map(({ attempt }) => attempt)).toEqual([bench.unit === "packets" ? 2 : 1]);
  });

  test("packets stay when every process is closed", async () => {
    const before = await bench.open();
    const sent = bench.packetOf("a", { vectors: 2 });
    await before.send("vectors", sent);
    await before.close();
    const received = await inbox(await bench.open(), "vectors");
    await until(() => envelopesOf(received.deliveries).length === 2);
    expect(envelopesOf(received.deliveries)).toEqual(sent.envelopes);
  });

  test("a closed transport refuses at once", async () => {
    const transport = await bench.open();
    const sending = transport.send("records", bench.packetOf("a"));
    await Promise.all([transport.close(), transport.close(), sending]);
    const unavailable = expect.objectContaining({ code: "transport_unavailable" });
    await expect(transport.send("records", bench.packetOf("b"))).rejects.toEqual(unavailable);
    await expect(transport.consume("records", async () => {}, { packetsInFlightMax: 1 })).rejects.toEqual(
      unavailable,
    );
    await expect(transport.backlog("records")).rejects.toEqual(unavailable);
    expect(await (await bench.open()).backlog("records")).toEqual({ waiting: 1, inFlight: 0 });
  });
}

function describeQueue(bench: Bench): void {
  test("a packet is delivered as it was sent", async () => {
    const transport = await bench.open();
    const sent = packetOf("a", { vectors: 3 });
    await transport.send("vectors", sent);
    const received = await inbox(transport, "vectors");
    await received.count(1);
    expect(received.deliveries).toMatchObject([{ packet: sent, attempt: 1 }]);
  });

  test("a key longer than 512 bytes is a programmer's error", async () => {
    const transport = await bench.open();
    await transport.send("records", packetOf("a"), { key: "k".repeat(512) });
    await expect(transport.send("records", packetOf("a"), { key: "k".repeat(513) })).rejects.toThrow(
      "512 bytes",
    );
  });

  test("consumers share 1,000 packets: each gets some, none is in two hands", async () => {
    const [first, second] = [await bench.open(), await bench.open()];
    const packetCount = 1_000;
    const names = Array.from({ length: packetCount }, (_, index) => `packet-${index}`);
    for (let from = 0; from < packetCount; from += 20) {
      await Promise.all(names.slice(from, from + 20).map((name) => first.send("records", packetOf(name))));
    }
    expect(await second.backlog("records")).toEqual({ waiting: packetCount, inFlight: 0 });
    const inHand = new Set<string>();
    const twice: string[] = [];
    const receive = async ({ packet: { collection } }: Delivery<Channel>) => {
      if (inHand.has(collection)) twice.push(collection);
      inHand.add(collection);
      await new Promise((resolve) => setTimeout(resolve, 1));
      inHand.delete(collection);
    };
    const inboxes = [await inbox(first, "records", { receive }), await inbox(second, "records", { receive })];
    const seen = () => inboxes.flatMap(({ deliveries }) => deliveries.map(({ packet }) => packet.collection));
    await until(() => seen().length >= packetCount, 60_000);
    expect(seen().sort()).toEqual(names.toSorted());
    expect(twice).toEqual([]);
    for (const { deliveries } of inboxes) expect(deliveries.length).toBeGreaterThan(0);
    await until(async () => (await first.backlog("records")).inFlight === 0);
    expect(await first.backlog("records")).toEqual({ waiting: 0, inFlight: 0 });
  }, 90_000);

  test("a key still in the queue is not added twice: waiting, in hand, or waiting for its next try", async () => {
    const transport = await bench.open();
    const send = () => transport.send("records", packetOf("once"), { key: "run 1: chunk/17 é" });
    await Promise.all([send(), send()]);
    await transport.send("vectors", packetOf("other"), { key: "run 1: chunk/17 é" });
    expect(await transport.backlog("records")).toEqual({ waiting: 1, inFlight: 0 });
    expect(await transport.backlog("vectors")).toEqual({ waiting: 1, inFlight: 0 });
    const received = await inbox(transport, "records", {
      receive: async ({ attempt }) => {
        await send();
        if (attempt < 3) throw new Error("not yet");
      },
    });
    await received.count(3);
    await until(async () => (await transport.backlog("records")).inFlight === 0);
    expect(await transport.backlog("records")).toEqual({ waiting: 0, inFlight: 0 });
    await send();
    await received.count(4);
    expect(received.deliveries.at(-1)?.attempt).toBe(1);
  });

  test.for(["7", "a:b", "", "ü".repeat(200)])("any text is a key: %s", async (key) => {
    const transport = await bench.open();
    await transport.send("records", packetOf("a"), { key });
    await transport.send("records", packetOf("a"), { key });
    expect(await transport.backlog("records")).toEqual({ waiting: 1, inFlight: 0 });
  });
}
