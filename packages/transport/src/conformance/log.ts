import { strict as assert } from "node:assert";
import { setTimeout as sleep } from "node:timers/promises";
import { type Packet, type RecordEnvelope, type Transport, version } from "@medley/core";
import { expect, test } from "vitest";
import { type Bench, type Inbox, inbox, until } from "./bench.ts";

/** What logs do beyond what all transports do, and in place of what only queues do. */
export function describeLog(bench: Bench): void {
  describeOrder(bench);
  describeLowWaterMark(bench);
  describeMembership(bench);
}

/** One record; its version says which of its writes it is. */
function packetOf(id: string, write = 0): Packet<RecordEnvelope> {
  const envelope = { id, version: version(BigInt(write)), op: "delete" as const, fields: {}, source: "test" };
  return { collection: "notes", envelopes: [envelope], chunk: null };
}

/** Ids of the form `n-0`, `n-1` ...: enough of them are in every partition. */
function idsOf(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${name}-${index}`);
}

async function sendAll(transport: Transport, ids: readonly string[]): Promise<void> {
  const envelopes = ids.flatMap((id) => packetOf(id).envelopes);
  for (let from = 0; from < envelopes.length; from += 100) {
    await transport.send("records", {
      collection: "notes",
      envelopes: envelopes.slice(from, from + 100),
      chunk: null,
    });
  }
}

function idsIn(inboxes: readonly Inbox<"records">[]): readonly string[] {
  return inboxes.flatMap(({ deliveries }) =>
    deliveries.flatMap(({ packet }) => packet.envelopes.map((e) => e.id)),
  );
}

/** Those of `ids` that were not delivered to any. */
function missing(ids: readonly string[], inboxes: readonly Inbox<"records">[]): readonly string[] {
  const delivered = new Set(idsIn(inboxes));
  return ids.filter((id) => !delivered.has(id));
}

function describeOrder(bench: Bench): void {
  test("the writes of a record are received in order, and each is done before the next", async () => {
    const transport = await bench.open();
    const ids = idsOf("ordered", 20);
    const done = new Map(ids.map((id) => [id, [] as number[]]));
    const inHand = new Set<string>();
    const together: string[] = [];
    await inbox(transport, "records", {
      receive: async ({ packet }) => {
        const own = new Set(packet.envelopes.map(({ id }) => id));
        together.push(...[...own].filter((id) => inHand.has(id)));
        for (const id of own) inHand.add(id);
        await sleep(Math.random() * 20);
        for (const envelope of packet.envelopes) done.get(envelope.id)?.push(Number(envelope.version));
        for (const id of own) inHand.delete(id);
      },
    });
    const writes = Array.from({ length: 30 }, (_, write) => write);
    for (const write of writes)
      await Promise.all(ids.map((id) => transport.send("records", packetOf(id, write))));
    await until(() => [...done.values()].every((versions) => versions.length >= writes.length));
    for (const versions of done.values()) expect(versions).toEqual(writes);
    expect(together).toEqual([]);
  });

  test("records of several sends come together, at most a hundred of a collection", async () => {
    const transport = await bench.open();
    await sendAll(transport, idsOf("many", 2_000));
    const received = await inbox(transport, "records");
    await until(() => missing(idsOf("many", 2_000), [received]).length === 0);
    const lengths = received.deliveries.map(({ packet }) => packet.envelopes.length);
    expect(Math.max(...lengths)).toBe(100);
    expect(lengths.length).toBeLessThan(100);
  });
}

function describeLowWaterMark(bench: Bench): void {
  test("a record that keeps failing is not passed by a commit: after a restart it comes again", async () => {
    const ids = idsOf("mark", 120);
    const before = await bench.open();
    await before.send("records", packetOf("bad"));
    const first = await inbox(before, "records", {
      receive: async ({ packet }) => {
        if (packet.envelopes.some(({ id }) => id === "bad")) throw new Error("not yet");
      },
    });
    await first.count(2);
    await sendAll(before, ids);
    // The others of its partition go on in the meantime.
    await until(() => missing(ids, [first]).length === 0);
    await until(async () => (await before.backlog("records")).waiting === 1);
    await before.close();

    const after = await bench.open();
    const { waiting } = await after.backlog("records");
    expect(waiting).toBeGreaterThan(1);
    const second = await inbox(after, "records");
    await until(() => idsIn([second]).includes("bad"));
    await until(async () => (await after.backlog("records")).waiting === 0);
    // What was done above the mark came again, what was done elsewhere did not.
    expect(idsIn([second])).toHaveLength(waiting);
    expect(waiting).toBeLessThan(ids.length / 2);
  });

  test("a record that keeps failing bounds what goes on before it, and the rest waits", async () => {
    const transport = await bench.open();
    await transport.send("records", packetOf("bad"));
    let failing = true;
    const received = await inbox(transport, "records", {
      receive: async ({ packet }) => {
        if (failing && packet.envelopes.some(({ id }) => id === "bad")) throw new Error("not yet");
      },
    });
    await received.count(1);
    const ids = idsOf("behind", 30_000);
    await sendAll(transport, ids);
    await until(async () => idsIn([received]).length > 20_000, 30_000);
    await sleep(1_000);
    expect(missing(ids, [received]).length).toBeGreaterThan(0);
    failing = false;
    await until(() => missing(ids, [received]).length === 0, 60_000);
    await until(async () => (await transport.backlog("records")).waiting === 0);
  }, 120_000);
}

function describeMembership(bench: Bench): void {
  test("partitions that go to another are taken out of hand, and a late success is not heard", async () => {
    const ids = idsOf("moved", 60);
    const first = await bench.open();
    await sendAll(first, ids);
    const release = Promise.withResolvers<void>();
    let aborted = 0;
    const slow = await inbox(first, "records", {
      packetsInFlightMax: 100,
      receive: (_, signal) => {
        signal.addEventListener("abort", () => {
          aborted += 1;
        });
        return release.promise;
      },
    });
    await until(() => missing(ids, [slow]).length === 0);
    const other = await inbox(await bench.open(), "records");
    await until(() => aborted > 0, 20_000);
    const kept = slow.deliveries.length - aborted;
    expect(kept).toBeGreaterThan(0);
    // Only what its partitions still are this consumer's counts as done.
    await until(() => idsIn([other]).length > 0, 20_000);
    const { inFlight } = await first.backlog("records");
    expect(inFlight).toBeLessThan(ids.length);
    release.resolve();
    await until(async () => (await first.backlog("records")).waiting === 0);
    expect(new Set([...idsIn([other])]).size + inFlight).toBe(ids.length);
  }, 60_000);

  test("while consumers come and go, each of 5,000 records comes at least once", async () => {
    const producer = await bench.open();
    const inboxes: Inbox<"records">[] = [];
    const join = async () => {
      const one = await inbox(await bench.open(), "records", { receive: () => sleep(5) });
      inboxes.push(one);
      await one.count(1, 20_000);
      return one;
    };
    const ids: string[] = [];
    let joining = true;
    const sending = (async () => {
      while (joining || ids.length < 5_000) {
        const next = idsOf(`churn-${ids.length}`, 50);
        await sendAll(producer, next);
        ids.push(...next);
        await sleep(20);
      }
    })();
    const first = await join();
    const second = await join();
    await first.consumer.close({ graceMs: 1_000 });
    const third = await join();
    await second.consumer.close({ graceMs: 0 });
    await join();
    await third.consumer.close({ graceMs: 1_000 });
    joining = false;
    await sending;
    await until(() => missing(ids, inboxes).length === 0, 30_000);
    await until(async () => (await producer.backlog("records")).waiting === 0, 30_000);
  }, 120_000);

  test("a consumer cut off for longer than its session is a member again", async () => {
    const { openOverLine } = bench.queue();
    assert(openOverLine !== undefined, "a line to cut");
    const { transport, cut, mend } = await openOverLine();
    bench.keep(transport);
    const ids = idsOf("before", 60);
    const other = await bench.open();
    await sendAll(other, ids);
    let aborted = 0;
    let holds = true;
    const cutOff = await inbox(transport, "records", {
      packetsInFlightMax: 100,
      receive: (_, signal) => {
        if (!holds) return Promise.resolve();
        const { promise, resolve } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => {
          aborted += 1;
          resolve();
        });
        return promise;
      },
    });
    await until(() => missing(ids, [cutOff]).length === 0);
    await cut();
    const takesOver = await inbox(other, "records");
    await until(() => missing(ids, [takesOver]).length === 0, 30_000);
    await mend();
    await until(() => aborted === cutOff.deliveries.length, 30_000);
    holds = false;
    const heldBefore = cutOff.deliveries.length;
    let wave = 0;
    const sent: string[] = [];
    // Both are members: of every wave each gets its part.
    await until(async () => {
      wave += 1;
      const next = idsOf(`wave-${wave}`, 60);
      sent.push(...next);
      await sendAll(other, next);
      await sleep(300);
      return cutOff.deliveries.length > heldBefore;
    }, 40_000);
    await until(() => missing(sent, [cutOff, takesOver]).length === 0, 20_000);
    await until(async () => (await other.backlog("records")).waiting === 0, 20_000);
  }, 150_000);
}
