import { type ChunkRef, MedleyError, type RecordEnvelope, type VectorEnvelope } from "@medley/core";
import { expect, test } from "vitest";
import { noOutcomes, pipelineCounters } from "./counters.ts";
import { indexRows } from "./index-rows.ts";
import { delivery, like, MemoryStore, remove, upsert, vectorOf } from "./ports.fixture.ts";

const { signal } = new AbortController();

function withVector(envelope: RecordEnvelope): VectorEnvelope {
  return { ...envelope, vector: vectorOf(envelope.fields), segmentHashes: new Uint8Array(32) };
}

function chunkOf(settled: Partial<ChunkRef["settled"]> = {}): ChunkRef {
  return { runId: "run", chunk: 0, settled: { ...noOutcomes, ...settled } };
}

const packetOf = (length: number, bad: readonly number[]) =>
  Array.from({ length }, (_, n) =>
    withVector(upsert(`n${n}`, 1, { body: bad.includes(n) ? "unstorable" : `body ${n}` })),
  );

test("one write per packet marks its chunk with what became of each record, those settled before included", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  await indexRows({ store, counters }, delivery([withVector(upsert("b", 9))]), signal);
  const envelopes = [withVector(upsert("a", 1)), withVector(upsert("b", 2)), withVector(remove("c", 3))];
  await indexRows(
    { store, counters },
    delivery(envelopes, { chunk: chunkOf({ superseded: 4, deadLetters: 1 }) }),
    signal,
  );
  expect(store.batches).toEqual([1, 3]);
  expect(store.chunks.get("run-0")).toEqual({ indexed: 1, tombstoned: 1, superseded: 5, deadLetters: 1 });
  expect(counters.stages.index).toMatchObject({
    received: 4,
    indexed: 2,
    tombstoned: 1,
    superseded: 1,
    deadLetters: 0,
  });
});

test("rows the store refuses become dead letters, the chunk is marked with the right totals, neighbours are written", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  const envelopes = packetOf(100, [17]);
  await indexRows({ store, counters }, delivery(envelopes, { chunk: chunkOf({ superseded: 1 }) }), signal);
  expect(store.rows.size).toBe(99);
  expect([...store.letters.values()]).toMatchObject([
    {
      recordId: "n17",
      version: 1n,
      stage: "index",
      code: "record_invalid",
      runId: "run",
      source: "notes.csv:1",
    },
  ]);
  expect(store.chunks.get("run-0")).toEqual({ indexed: 99, tombstoned: 0, superseded: 1, deadLetters: 1 });
  const runs = store.batches.filter((rows) => rows > 0).length;
  expect(runs).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(100)) + 1);
  expect(counters.stages.index).toMatchObject({ received: 100, indexed: 99, superseded: 0, deadLetters: 1 });
  expect([...counters.stages.index.failedByCode]).toEqual([["record_invalid", 1]]);
  const { records, seconds, failed } = counters.packets.index.backfill;
  expect([records.count, records.sum, seconds.count, failed]).toEqual([1, 100, 1, 0]);
});

test("all at fault, or nothing left: the chunk is marked all the same", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  await indexRows({ store, counters }, delivery(packetOf(2, [0, 1]), { chunk: chunkOf() }), signal);
  expect(store.chunks.get("run-0")).toEqual({ ...noOutcomes, deadLetters: 2 });
  const settled = { ...chunkOf({ superseded: 3 }), chunk: 1 };
  await indexRows({ store, counters }, delivery<VectorEnvelope>([], { chunk: settled }), signal);
  expect(store.chunks.get("run-1")).toEqual({ ...noOutcomes, superseded: 3 });
});

test("running a packet again has no second effect, also after one at fault was isolated", async () => {
  const store = new MemoryStore();
  const envelopes = packetOf(10, [3]);
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await indexRows(
      { store, counters: pipelineCounters() },
      delivery(envelopes, { attempt, chunk: chunkOf() }),
      signal,
    );
  }
  expect(store.effects).toHaveLength(9);
  expect(store.letters.size).toBe(1);
  expect(store.chunks.get("run-0")).toEqual({ ...noOutcomes, indexed: 9, deadLetters: 1 });
});

test("a store that is away fails the packet: nothing is isolated, no dead letter, no chunk", async () => {
  class Away extends MemoryStore {
    override async writeRows(): Promise<never> {
      throw new MedleyError("store_unavailable", "Postgres is away");
    }
  }
  const store = new Away();
  const counters = pipelineCounters();
  const run = indexRows({ store, counters }, delivery(packetOf(4, []), { chunk: chunkOf() }), signal);
  await expect(run).rejects.toMatchObject({ code: "store_unavailable" });
  expect([store.letters.size, store.chunks.size]).toEqual([0, 0]);
  expect([counters.packets.index.backfill.failed, counters.packets.index.backfill.seconds.count]).toEqual([
    1, 0,
  ]);
});

test("freshness is the time from acceptance to the row, of the records that have one; what was overtaken has none", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  const ports = { store, counters, clock: { nowMs: () => 60_000 } };
  const accepted = (id: string, v: number, acceptedAtMs: number) => ({
    ...withVector(upsert(id, v)),
    acceptedAtMs,
  });
  await indexRows(ports, delivery([accepted("a", 5, 58_000), accepted("b", 5, 60_500)]), signal);
  await indexRows(ports, delivery([accepted("a", 4, 1_000), withVector(upsert("c", 1))]), signal);
  await indexRows(ports, delivery([accepted("d", 1, 30_000)], { chunk: chunkOf() }), signal);
  const { stream, backfill } = counters.freshnessSeconds;
  expect([stream.count, stream.sum, backfill.count, backfill.sum]).toEqual([2, 2, 1, 30]);
});

test("a dead letter that can't be kept fails its packet and leaves its chunk open; the next delivery keeps it", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  const keep = store.addDeadLetters.bind(store);
  const envelopes = packetOf(4, [1]);
  store.addDeadLetters = () => Promise.reject(new Error("away"));
  const first = indexRows({ store, counters }, delivery(envelopes, { chunk: chunkOf() }), signal);
  await expect(first).rejects.toThrow("away");
  expect(store.chunks.size).toBe(0);
  store.addDeadLetters = keep;
  const traced = envelopes.map((envelope) => ({ ...envelope, trace: "00-aa-bb-01" }));
  await indexRows({ store, counters }, delivery(traced, { chunk: chunkOf(), attempt: 2 }), signal);
  expect([...store.letters.values()]).toMatchObject([{ recordId: "n1", attempt: 2, trace: "00-aa-bb-01" }]);
  expect(store.chunks.get("run-0")).toEqual({ indexed: 3, tombstoned: 0, superseded: 0, deadLetters: 1 });
});

test("of an id's versions delivered together the newest is written, the others are superseded", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  const envelopes = [upsert("a", 2, { body: "new" }), upsert("b", 1), upsert("a", 1), remove("b", 2)].map(
    withVector,
  );
  await indexRows({ store, counters }, delivery(envelopes, { chunk: chunkOf() }), signal);
  expect(store.batches).toEqual([2]);
  expect([store.rows.get("a")?.fields.body, store.rows.get("b")?.op]).toEqual(["new", "delete"]);
  expect(store.chunks.get("run-0")).toEqual({ indexed: 1, tombstoned: 1, superseded: 2, deadLetters: 0 });
});

test("nothing more is written once the packet is another's", async () => {
  const lost = new AbortController();
  const store = new MemoryStore();
  const write = store.writeRows.bind(store);
  store.writeRows = async (...call) => {
    lost.abort(new Error("the lease ran out"));
    return write(...call);
  };
  const run = indexRows(
    { store, counters: pipelineCounters() },
    delivery(packetOf(2, [1]), { chunk: chunkOf() }),
    lost.signal,
  );
  await expect(run).rejects.toThrow("the lease ran out");
  expect([store.batches, store.letters.size, store.chunks.size]).toEqual([[2], 0, 0]);
});

test("events are kept before the chunk is marked; those the store refuses become dead letters that can be replayed", async () => {
  const store = new MemoryStore();
  const counters = pipelineCounters();
  const events = [like("u", "heat", 1), like("u", "unstorable", 2), like("v", "heat", 3)];
  const envelopes = [...events.map(withVector), withVector(upsert("u", 4))];
  await indexRows({ store, counters }, delivery(envelopes, { chunk: chunkOf() }), signal);
  expect([...store.events.keys()]).toEqual(["u/heat-1", "v/heat-3"]);
  expect(store.rows.has("u")).toBe(true);
  expect(store.chunks.get("run-0")).toEqual({ indexed: 3, tombstoned: 0, superseded: 0, deadLetters: 1 });
  expect(counters.stages.index).toMatchObject({ received: 4, indexed: 3, deadLetters: 1 });
  const [letter] = [...store.letters.values()];
  expect(letter).toMatchObject({ recordId: "u", version: 2n, stage: "index", source: "events.jsonl:2" });
  expect(JSON.parse(Buffer.from(letter?.payload as Uint8Array).toString())).toEqual({
    ...{ _op: "event", user: "u", item: "unstorable", kind: "like", at: 2, id: "unstorable-2" },
  });
});

test("a chunk of nothing but events is marked by itself", async () => {
  const store = new MemoryStore();
  const envelopes = [withVector(like("u", "heat", 1)), withVector(like("u", "heat", 2))];
  await indexRows({ store, counters: pipelineCounters() }, delivery(envelopes, { chunk: chunkOf() }), signal);
  expect(store.batches).toEqual([0]);
  expect(store.chunks.get("run-0")).toEqual({ indexed: 2, tombstoned: 0, superseded: 0, deadLetters: 0 });
});
