import { expect, test } from "vitest";
import { describeTransport } from "../conformance/conformance.ts";
import { MemoryQueue } from "./memory.ts";

describeTransport(
  "memory",
  async () => {
    let queue = new MemoryQueue({ packetsMax: 2_000, leaseMs: 1_500 });
    return {
      open: async () => queue.open(),
      empty: async () => {
        queue = new MemoryQueue({ packetsMax: 2_000, leaseMs: 1_500 });
      },
      stop: async () => {},
    };
  },
  { inProcess: true },
);

const packet = { collection: "films", envelopes: [], chunk: null };

test("a full channel makes the sender wait until there is room", async () => {
  const transport = new MemoryQueue({ packetsMax: 2 }).open();
  await transport.send("records", packet);
  await transport.send("records", packet);
  const third = transport.send("records", packet);
  expect(await transport.backlog("records")).toEqual({ waiting: 2, inFlight: 0 });
  // The other channel has room of its own.
  await transport.send("vectors", packet);
  let receivedCount = 0;
  await transport.consume(
    "records",
    async () => {
      receivedCount += 1;
    },
    { packetsInFlightMax: 1 },
  );
  await third;
  await expect.poll(() => receivedCount).toBe(3);
  await transport.close();
});

test("closing frees a sender that waits for room", async () => {
  const transport = new MemoryQueue({ packetsMax: 1 }).open();
  await transport.send("records", packet);
  const waiting = expect(transport.send("records", packet)).rejects.toMatchObject({
    code: "transport_unavailable",
  });
  await transport.close();
  await waiting;
});

test("a lease that ran out is taken by another consumer, and the first one hears of it", async () => {
  let nowMs = 0;
  const queue = new MemoryQueue({ packetsMax: 1, leaseMs: 900, clock: { nowMs: () => nowMs } });
  const [first, second] = [queue.open(), queue.open({ pollIntervalMs: 5 })];
  const aborted = Promise.withResolvers<void>();
  const firstHasIt = Promise.withResolvers<void>();
  await first.consume(
    "records",
    (_, signal) => {
      firstHasIt.resolve();
      signal.addEventListener("abort", () => aborted.resolve());
      return aborted.promise;
    },
    { packetsInFlightMax: 1 },
  );
  await first.send("records", packet);
  await firstHasIt.promise;
  const attempts: number[] = [];
  await second.consume("records", async ({ attempt }) => void attempts.push(attempt), {
    packetsInFlightMax: 1,
  });
  nowMs += 900;
  await expect.poll(() => attempts).toEqual([2]);
  await aborted.promise;
  await Promise.all([first.close(), second.close()]);
});

test("a receiver that ends after the grace is no fault", async () => {
  const faults: unknown[] = [];
  const transport = new MemoryQueue({ packetsMax: 1 }).open({ onFault: (fault) => faults.push(fault) });
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const receive = async () => {
    begun.resolve();
    await end.promise;
  };
  const consumer = await transport.consume("records", receive, { packetsInFlightMax: 1 });
  await transport.send("records", packet);
  await begun.promise;
  await consumer.close({ graceMs: 0 });
  end.resolve();
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(faults).toEqual([]);
  await transport.close();
});
