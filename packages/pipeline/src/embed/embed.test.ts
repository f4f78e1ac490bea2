import { type RecordEnvelope, segmentHashBytes, type VectorEnvelope } from "@medley/core";
import { beforeEach, expect, test } from "vitest";
import { noOutcomes, pipelineCounters } from "../counters.ts";
import {
  delivery,
  like,
  MemoryStore,
  openNotes,
  remove,
  SentPackets,
  segmentOf,
  upsert,
  vectorOf,
} from "../ports.fixture.ts";
import { embed } from "./embed.ts";

let store: MemoryStore;
let transport: SentPackets;
let counters: ReturnType<typeof pipelineCounters>;
let opened: ReturnType<typeof openNotes>;

beforeEach(() => {
  store = new MemoryStore();
  transport = new SentPackets();
  counters = pipelineCounters();
  opened = openNotes();
});

function run(
  envelopes: readonly RecordEnvelope[],
  options: Parameters<typeof delivery>[1] = {},
): Promise<void> {
  const ports = { collections: opened.collections, store, transport, counters };
  return embed(ports, delivery(envelopes, options) as never, new AbortController().signal);
}

/** Embeds and writes, as the indexer would. */
async function settle(...envelopes: RecordEnvelope[]): Promise<void> {
  await run(envelopes);
  await store.writeRows("notes", transport.vectors, null);
  transport.sent.length = 0;
  opened.title.batches.length = 0;
  opened.body.batches.length = 0;
  counters = pipelineCounters();
}

test("a new record has every segment encoded, end to end, and goes on with its fields and hashes", async () => {
  await run([upsert("a", 1, { title: "one", body: "two" })]);
  const [sent] = transport.vectors as [VectorEnvelope];
  expect([...sent.vector]).toEqual([...segmentOf("one"), ...segmentOf("two")]);
  expect(sent).toMatchObject({ id: "a", version: 1n, op: "upsert", fields: { title: "one", body: "two" } });
  expect(sent.segmentHashes).toHaveLength(2 * segmentHashBytes);
  expect(counters.segments).toEqual({ encoded: 2, encodedByModel: 2, reused: 0, empty: 0 });
});

test("an unchanged record costs no call of an encoder and keeps its vector bit for bit", async () => {
  await settle(upsert("a", 1, { title: "one", body: "two" }));
  const before = store.rows.get("a") as VectorEnvelope;
  await run([upsert("a", 2, { title: "one", body: "two" })]);
  const [sent] = transport.vectors as [VectorEnvelope];
  expect([opened.title.batches, opened.body.batches].flat(2)).toEqual([]);
  expect(Buffer.from(sent.vector.buffer)).toEqual(Buffer.from(before.vector.buffer));
  expect(sent.segmentHashes).toEqual(before.segmentHashes);
  expect(sent.version).toBe(2n);
  expect(counters.segments).toEqual({ encoded: 0, encodedByModel: 0, reused: 2, empty: 0 });
});

test("one changed field: one segment is encoded, the other is the row's, bit for bit", async () => {
  await settle(upsert("a", 1, { title: "one", body: "two" }));
  // As no encoder would give it: what comes out was copied.
  const row = store.rows.get("a") as VectorEnvelope;
  row.vector.set([0.125, 0.25, 0.375, -0]);
  await run([upsert("a", 2, { title: "one", body: "changed" })]);
  const [sent] = transport.vectors as [VectorEnvelope];
  expect(opened.title.texts).toEqual([]);
  expect(opened.body.texts).toEqual(["changed"]);
  const copied = Float16Array.from([0.125, 0.25, 0.375, -0]);
  expect(Buffer.from(sent.vector.buffer).subarray(0, 8)).toEqual(Buffer.from(copied.buffer));
  expect([...sent.vector.subarray(4)]).toEqual([...segmentOf("changed")]);
});

test("another encoder of the same input is no reason to copy", async () => {
  await settle(upsert("a", 1, { title: "one", body: "two" }));
  const row = store.rows.get("a") as VectorEnvelope;
  opened.title.batches.length = 0;
  (row.segmentHashes as Uint8Array)[0] = (row.segmentHashes[0] as number) ^ 1;
  await run([upsert("a", 2, { title: "one", body: "two" })]);
  expect(opened.title.texts).toEqual(["one"]);
  expect(opened.body.texts).toEqual([]);
});

test("a missing field is an all-zero segment and no work; a field taken away is zero again", async () => {
  await settle(upsert("a", 1, { title: "one", body: "two" }));
  await run([upsert("a", 2, { title: "one" }), upsert("b", 3)]);
  const [a, b] = transport.vectors as [VectorEnvelope, VectorEnvelope];
  expect([...a.vector]).toEqual([...segmentOf("one"), 0, 0, 0, 0]);
  expect([...b.vector]).toEqual(new Array(8).fill(0));
  expect(counters.segments).toEqual({ encoded: 0, encodedByModel: 0, reused: 1, empty: 3 });
});

test("of an id's versions in one packet the newest goes on, whatever their order; of equal ones the last", async () => {
  const chunk = { runId: "run", chunk: 7, settled: { ...noOutcomes, deadLetters: 1 } };
  await run(
    [
      upsert("a", 2, { title: "newest" }),
      upsert("a", 1, { title: "old" }),
      upsert("b", 1, { title: "first" }),
      upsert("b", 1, { title: "last" }),
    ],
    { chunk },
  );
  expect(transport.vectors.map(({ id, fields }) => [id, fields.title])).toEqual([
    ["a", "newest"],
    ["b", "last"],
  ]);
  expect(opened.title.texts.toSorted()).toEqual(["last", "newest"]);
  expect(transport.sent[0]).toMatchObject({
    key: "run-7",
    packet: { chunk: { settled: { ...noOutcomes, superseded: 2, deadLetters: 1 } } },
  });
});

test("older than the row: superseded without work; the same version again goes on, as it did the first time", async () => {
  await settle(upsert("a", 5, { title: "one" }));
  await run([upsert("a", 4, { title: "old" })]);
  expect([transport.sent, opened.title.batches]).toEqual([[], []]);
  expect(counters.stages.embed).toMatchObject({ received: 1, sent: 0, superseded: 1, deadLetters: 0 });
  await run([upsert("a", 5, { title: "one" })]);
  expect(transport.vectors.map(({ version }) => version)).toEqual([5n]);
});

test("a chunk whose records are all settled is sent on empty, to be marked", async () => {
  await settle(upsert("a", 5));
  await run([upsert("a", 4)], { chunk: { runId: "run", chunk: 0, settled: noOutcomes } });
  expect(transport.sent).toMatchObject([
    { packet: { envelopes: [], chunk: { settled: { ...noOutcomes, superseded: 1 } } } },
  ]);
});

test("a delete goes on without vector; an upsert after it copies nothing from the tombstone", async () => {
  await settle(upsert("a", 1, { title: "one" }));
  await settle(remove("a", 2));
  expect(store.rows.get("a")).toMatchObject({ op: "delete", version: 2n });
  expect(store.rows.get("a")?.vector).toHaveLength(0);
  await run([upsert("a", 3, { title: "one" })]);
  expect(opened.title.texts).toEqual(["one"]);
  expect([...(transport.vectors[0]?.vector ?? [])]).toEqual([...vectorOf({ title: "one" })]);
});

test.for(["bad", "nan"])(
  "a value that gives no segment (%s) is a dead letter; its neighbours go on",
  async (text) => {
    const envelopes = Array.from({ length: 20 }, (_, n) =>
      upsert(`n${n}`, n, { title: n === 3 ? text : `t${n}`, body: "b" }),
    );
    await run(envelopes, { chunk: { runId: "run", chunk: 0, settled: noOutcomes } });
    expect(transport.vectors).toHaveLength(19);
    expect(opened.title.batches).toHaveLength(1);
    const [letter, ...others] = store.letters.values();
    expect(others).toEqual([]);
    expect(letter).toMatchObject({
      recordId: "n3",
      version: 3n,
      stage: "embed",
      code: "encoder_failed",
      runId: "run",
      source: "notes.csv:3",
    });
    expect(letter?.reason).toContain('space "title"');
    expect(JSON.parse(Buffer.from(letter?.payload ?? []).toString())).toEqual({
      id: "n3",
      _op: "upsert",
      title: text,
      body: "b",
    });
    expect(transport.sent[0]?.packet.chunk?.settled).toEqual({ ...noOutcomes, deadLetters: 1 });
  },
);

test("a dead letter that can't be kept fails its packet: nothing goes on without it, and the next delivery keeps it", async () => {
  const keep = store.addDeadLetters.bind(store);
  const kept = Promise.withResolvers<void>();
  const chunk = { runId: "run", chunk: 0, settled: noOutcomes };
  const envelopes = [upsert("a", 1, { title: "bad" }), upsert("b", 1, { title: "good" })];
  store.addDeadLetters = () => Promise.reject(new Error("away"));
  await expect(run(envelopes, { chunk })).rejects.toThrow("away");
  expect(transport.sent).toEqual([]);
  store.addDeadLetters = (letters) => kept.promise.then(() => keep(letters));
  let acknowledged = false;
  const delivered = run(envelopes, { chunk, attempt: 2 }).then(() => {
    acknowledged = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([acknowledged, transport.sent]).toEqual([false, []]);
  kept.resolve();
  await delivered;
  expect([...store.letters.values()]).toMatchObject([{ recordId: "a", attempt: 2 }]);
  expect(transport.vectors.map(({ id }) => id)).toEqual(["b"]);
});

test("an encoder that is unavailable fails the whole packet, to be tried again: nothing sent, no dead letter", async () => {
  opened.body.unavailable = true;
  const run1 = run([upsert("a", 1, { title: "one", body: "two" }), upsert("b", 1, { title: "one" })]);
  await expect(run1).rejects.toMatchObject({ code: "encoder_unavailable", retryable: true });
  expect([transport.sent, [...store.letters]]).toEqual([[], []]);
});

const packetWithKiller = () =>
  Array.from({ length: 64 }, (_, n) => upsert(`n${n}`, 1, { title: n === 40 ? "kill" : `t${n}` }));

test("what breaks the encoder down is tried whole 8 times, then isolated: its neighbours go on", async () => {
  for (const attempt of [1, 8]) {
    await expect(run(packetWithKiller(), { attempt })).rejects.toMatchObject({ code: "encoder_unavailable" });
    expect(opened.title.batches.splice(0).map((batch) => batch.length)).toEqual([64]);
  }
  await run(packetWithKiller(), { attempt: 9 });
  expect([...store.letters.values()].map(({ recordId }) => recordId)).toEqual(["n40"]);
  expect(transport.vectors).toHaveLength(63);
  // Then twice a neighbour and the suspect again.
  expect(opened.title.batches.length).toBeLessThanOrEqual(2 * Math.log2(64) + 1 + 4);
});

test("while isolating, what fails in a bad moment of the encoder's is not taken for what breaks it", async () => {
  // Both together, then "t0" alone, and once more after its neighbour's second run.
  for (const call of [1, 2, 5]) opened.title.breaksAt.add(call);
  const two = [upsert("n0", 1, { title: "t0" }), upsert("n1", 1, { title: "t1" })];
  await run(two, { attempt: 9 });
  expect([store.letters.size, transport.vectors.length]).toEqual([0, 2]);
  // That second run.
  opened.title.batches.length = 0;
  opened.title.breaksAt.add(4);
  await expect(run(two, { attempt: 10 })).rejects.toMatchObject({ code: "encoder_unavailable" });
  expect(store.letters.size).toBe(0);
});

test("records that all break their encoder are kept as dead letters after 40 tries, together", async () => {
  const both = [upsert("a", 1, { title: "kill" }), upsert("b", 1, { title: "kill too" }), remove("c", 1)];
  await expect(run(both, { attempt: 40 })).rejects.toMatchObject({ code: "encoder_unavailable" });
  await run(both, { attempt: 41 });
  expect([...store.letters.values()].map(({ recordId }) => recordId)).toEqual(["a", "b"]);
  expect(transport.vectors.map(({ id }) => id)).toEqual(["c"]);
});

test("a packet that was isolated and comes again ends, though its neighbours' rows are there by now", async () => {
  await run(packetWithKiller(), { attempt: 9 });
  await store.writeRows("notes", transport.vectors, null);
  await run(packetWithKiller(), { attempt: 10 });
  expect(store.letters.size).toBe(1);
});

test("while isolating, a failure of all alike is the encoder's: thrown, no dead letter", async () => {
  opened.title.broken = true;
  const envelopes = Array.from({ length: 8 }, (_, n) => upsert(`n${n}`, 1, { title: `t${n}` }));
  await expect(run(envelopes, { attempt: 20 })).rejects.toMatchObject({ code: "encoder_unavailable" });
  expect([transport.sent, [...store.letters]]).toEqual([[], []]);
});

test("a record alone with what breaks its encoder is tried 40 times, then kept as a dead letter", async () => {
  const alone = [upsert("a", 1, { title: "kill" })];
  await expect(run(alone, { attempt: 40 })).rejects.toMatchObject({ code: "encoder_unavailable" });
  await run(alone, { attempt: 41 });
  expect([...store.letters.values()].map(({ recordId }) => recordId)).toEqual(["a"]);
});

test("a record is reported as done with its last segment, superseded and unchanged ones from the start", async () => {
  await settle(upsert("known", 1, { title: "one", body: "two" }));
  const reports: number[] = [];
  const envelopes = [
    upsert("known", 2, { title: "one", body: "two" }),
    upsert("a", 1, { title: "three", body: "four" }),
    upsert("a", 2, { title: "five", body: "bad" }),
    upsert("b", 1, { title: "six" }),
  ];
  await run(envelopes, { report: (done) => reports.push(done) });
  // Titles of "a" and "b", which has nothing else, then the body of "a".
  expect(reports).toEqual([2, 3, 4]);
});

test("nothing is sent once the packet is another's, also where a dead letter was added before", async () => {
  const lost = new AbortController();
  const add = store.addDeadLetters.bind(store);
  store.addDeadLetters = async (letters) => {
    await add(letters);
    lost.abort(new Error("the lease ran out"));
  };
  const ports = { collections: opened.collections, store, transport, counters };
  const envelopes = [upsert("a", 1, { title: "bad" }), upsert("b", 1, { title: "one" })];
  await expect(embed(ports, delivery(envelopes) as never, lost.signal)).rejects.toThrow("the lease ran out");
  expect([store.letters.size, transport.sent]).toEqual([1, []]);
});

test("a collection this process does not have is an error that is tried again, not a loss", async () => {
  opened.collections.clear();
  await expect(run([upsert("a", 1)])).rejects.toThrow("notes");
});

test("events go on as they are, whatever records come with them, and look nothing up by themselves", async () => {
  const [first, second] = [like("a", "b", 5), like("a", "c", 6)];
  await settle(upsert("a", 9, { title: "one" }));
  // Its user is called as a record is, whose version is above the event's.
  await run([first, upsert("a", 10, { title: "two" }), second]);
  expect(transport.vectors.map(({ id, op, version }) => [id, op, version])).toEqual([
    ["a", "upsert", 10n],
    ["a", "event", 5n],
    ["a", "event", 6n],
  ]);
  expect(transport.vectors[1]).toMatchObject(first);
  expect(counters.stages.embed).toMatchObject({ received: 3, sent: 3, superseded: 0 });

  transport.sent.length = 0;
  store.readSegments = () => {
    throw new Error("nothing is to be looked up");
  };
  const chunk = { runId: "run", chunk: 0, settled: noOutcomes };
  await run([first, first], { chunk });
  expect(transport.sent).toMatchObject([{ packet: { chunk }, key: "run-0" }]);
  expect(transport.vectors).toHaveLength(2);
});
