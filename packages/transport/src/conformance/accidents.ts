import { strict as assert } from "node:assert";
import { expect, test } from "vitest";
import { type Bench, inbox, until } from "./bench.ts";

/** What befalls any transport, and what befalls one whose server is reached over a line, by processes that may be killed. */
export function describeAccidents(bench: Bench, { inProcess }: { readonly inProcess: boolean }): void {
  test("a receiver that takes several leases' time keeps its packet", async () => {
    const [first, second] = [await bench.open(), await bench.open()];
    const slow = { receive: () => new Promise<void>((resolve) => setTimeout(resolve, 5_000)) };
    const inboxes = [await inbox(first, "records", slow)];
    // Of a log a second one would take over partitions, and what is in hand of them.
    if (bench.unit === "packets") inboxes.push(await inbox(second, "records", slow));
    await first.send("records", bench.packetOf("slow"));
    await until(async () => (await first.backlog("records")).inFlight === 1);
    await until(async () => (await first.backlog("records")).inFlight === 0, 20_000);
    expect(inboxes.flatMap(({ deliveries }) => deliveries.map(({ attempt }) => attempt))).toEqual([1]);
    expect(await first.backlog("records")).toEqual({ waiting: 0, inFlight: 0 });
  }, 30_000);

  if (!inProcess) describeOutside(bench);
}

function describeOutside(bench: Bench): void {
  test("what a killed process had in hand is delivered again", async () => {
    const { startHolder } = bench.queue();
    assert(startHolder !== undefined, "a process to kill");
    const transport = await bench.open();
    await transport.send("records", bench.packetOf("held"));
    const holder = await startHolder();
    // A log does not know what is in the hands of other processes, nor how often they tried.
    const isQueue = bench.unit === "packets";
    const held = isQueue ? { waiting: 0, inFlight: 1 } : { waiting: 1, inFlight: 0 };
    expect(await transport.backlog("records")).toEqual(held);
    await holder.kill();
    const received = await inbox(transport, "records");
    await received.count(1, 20_000);
    expect(received.deliveries.map(({ attempt }) => attempt)).toEqual([isQueue ? 2 : 1]);
  }, 60_000);

  test("a queue that can't be reached is an error, and when it is back all goes on", async () => {
    const { openOverLine } = bench.queue();
    assert(openOverLine !== undefined, "a line to cut");
    const { transport, cut, mend } = await openOverLine();
    bench.keep(transport);
    const received = await inbox(transport, "records");
    await cut();
    const unavailable = expect.objectContaining({ code: "transport_unavailable" });
    await expect(transport.send("records", bench.packetOf("a"))).rejects.toEqual(unavailable);
    await expect(transport.backlog("records")).rejects.toEqual(unavailable);
    await expect(transport.consume("records", async () => {}, { packetsInFlightMax: 1 })).rejects.toEqual(
      unavailable,
    );
    await mend();
    await (await bench.open()).send("records", bench.packetOf("b"));
    await received.count(1, 20_000);
    await transport.send("records", bench.packetOf("c"));
    await received.count(2);
  }, 60_000);

  test("closing ends also where the queue can't be reached", async () => {
    const { openOverLine } = bench.queue();
    assert(openOverLine !== undefined, "a line to cut");
    const { transport, cut } = await openOverLine();
    const release = Promise.withResolvers<void>();
    const received = await inbox(transport, "records", { receive: () => release.promise });
    await transport.send("records", bench.packetOf("a"));
    await received.count(1);
    await cut();
    await received.consumer.close({ graceMs: 0 });
    await transport.close();
    release.resolve();
  }, 60_000);

  if (bench.unit === "packets") describeLostLease(bench);
}

function describeLostLease(bench: Bench): void {
  test("a consumer cut off longer than its lease hears that its packet is another's", async () => {
    const { openOverLine } = bench.queue();
    assert(openOverLine !== undefined, "a line to cut");
    const { transport, cut, mend } = await openOverLine();
    bench.keep(transport);
    const lost = Promise.withResolvers<void>();
    const received = await inbox(transport, "records", {
      receive: (_, signal) => {
        signal.addEventListener("abort", () => lost.resolve());
        return lost.promise;
      },
    });
    await (await bench.open()).send("records", bench.packetOf("a"));
    await received.count(1);
    await cut();
    const release = Promise.withResolvers<void>();
    const other = await inbox(await bench.open(), "records", { receive: () => release.promise });
    await other.count(1, 20_000);
    expect(other.deliveries.map(({ attempt }) => attempt)).toEqual([2]);
    await mend();
    await lost.promise;
    // The first one's late success does not take the packet out of the other's hands.
    expect(await (await bench.open()).backlog("records")).toEqual({ waiting: 0, inFlight: 1 });
    release.resolve();
  }, 60_000);
}
