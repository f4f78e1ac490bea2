import { type Collection, checkConfig, VersionClock, versionMax } from "@medley/core";
import { expect, test } from "vitest";
import { pipelineCounters } from "./counters.ts";
import { notes, SentPackets, upsert } from "./ports.fixture.ts";
import { checkInputs, collectionNamed, deadLetterOfRejection, type Input, send } from "./produce.ts";

const arriving = checkConfig({
  collections: {
    notes: { fields: { title: "text" }, spaces: { title: { encoder: "text", field: "title" } } },
  },
})[0] as Collection;

function ports() {
  const transport = new SentPackets();
  return {
    collections: new Map([["notes", notes]]),
    transport,
    lanes: { stream: transport, backfill: transport },
    versions: new VersionClock({ nowMs: () => 1_000 }),
    counters: pipelineCounters(),
    backlogPacketsMax: 3,
  };
}

function input(value: unknown, rest: Partial<Input> = {}): Input {
  return { value, source: "notes.csv:1", textual: false, ...rest };
}

test("versions grow with arrival, also while the clock stands still; one given before is kept", () => {
  const { envelopes } = checkInputs(ports(), arriving, [
    input({ id: "a" }),
    input({ id: "a" }),
    input({ id: "a" }, { version: 7n }),
  ]);
  const [first, second, third] = envelopes.map(({ version }) => version);
  expect(second).toBe((first as bigint) + 1n);
  expect(third).toBe(7n);
});

test("the user's own version field is the version", () => {
  const { envelopes, rejected } = checkInputs(ports(), notes, [
    input({ id: "a", v: 5 }),
    input({ id: "b", v: String(versionMax) }),
    input({ id: "c", v: String(versionMax + 1n) }),
    input({ id: "d", v: -1 }),
    input({ id: "e" }),
  ]);
  expect(envelopes.map(({ version }) => version)).toEqual([5n, versionMax]);
  expect(rejected.map(({ id }) => id)).toEqual(["c", "d", "e"]);
});

test("rejections say which input, its id and what is wrong; the others go on", () => {
  const at = ports();
  const { envelopes, rejected } = checkInputs(at, notes, [
    input({ id: "a", v: 1, title: 7 }),
    input({ id: "b", v: 1, title: "fine" }),
    input("text"),
    input({ id: "c", v: 1, tilte: "typo" }),
    input({ id: "d", v: 1, _op: "delete" }),
  ]);
  expect(envelopes.map(({ id, op }) => [id, op])).toEqual([
    ["b", "upsert"],
    ["d", "delete"],
  ]);
  expect(rejected.map(({ index, id, code }) => [index, id, code])).toEqual([
    [0, "a", "record_invalid"],
    [2, null, "record_invalid"],
    [3, "c", "record_invalid"],
  ]);
  expect(rejected[0]?.message).toContain('"title"');
  expect(rejected[2]?.message).toContain("title");
  expect(at.counters.stages.produce).toMatchObject({ received: 5, rejected: 3 });
  expect([...at.counters.stages.produce.failedByCode]).toEqual([["record_invalid", 3]]);
  const where = { collection: "notes", runId: "run" };
  const payload = Buffer.from("{}");
  expect(
    deadLetterOfRejection(rejected[0] as never, { source: "notes.csv:1", payload }, where),
  ).toMatchObject({
    ...where,
    recordId: "a",
    version: null,
    stage: "produce",
    source: "notes.csv:1",
    payload,
  });
});

test.for([
  { records: 3, vectors: 0 },
  { records: 1, vectors: 2 },
  { records: 0, vectors: 3 },
])("a full queue refuses: overloaded, and nothing was sent: %j", async (waiting) => {
  const at = ports();
  Object.assign(at.transport.waiting, waiting);
  await expect(send(at, notes, [upsert("a", 1)])).rejects.toMatchObject({
    code: "overloaded",
    retryable: true,
  });
  expect(at.transport.sent).toEqual([]);
  expect(at.counters.stages.produce.sent).toBe(0);
  Object.assign(at.transport.waiting, { records: 1, vectors: 1 });
  await send(at, notes, [upsert("a", 1)]);
  expect(at.transport.sent).toHaveLength(1);
});

test("packets hold 100 records; a chunk is one packet with a key of its own", async () => {
  const at = ports();
  const many = Array.from({ length: 201 }, (_, n) => upsert(`n${n}`, 1));
  await send(at, notes, many);
  expect(at.transport.sent.map(({ packet }) => packet.envelopes.length)).toEqual([100, 100, 1]);
  const settled = { indexed: 0, tombstoned: 0, superseded: 0, deadLetters: 2 };
  await send(at, notes, [], { runId: "run", chunk: 4, settled });
  expect(at.transport.sent.at(-1)).toMatchObject({
    key: "run-4",
    packet: { envelopes: [], chunk: { settled } },
  });
});

test("an envelope says when it was accepted, and which trace it came with", () => {
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const { envelopes } = checkInputs(ports(), arriving, [input({ id: "a" }, { trace }), input({ id: "b" })]);
  expect(envelopes.map((envelope) => [envelope.acceptedAtMs, envelope.trace])).toEqual([
    [1_000, trace],
    [1_000, undefined],
  ]);
});

test("where a later packet fails, the caller knows which records are durable", async () => {
  const at = ports();
  const durable: number[] = [];
  at.transport.failsAfter = 2;
  const many = Array.from({ length: 250 }, (_, n) => upsert(`n${n}`, 1));
  await expect(send(at, notes, many, null, (count) => durable.push(count))).rejects.toMatchObject({
    code: "transport_unavailable",
  });
  expect([durable, at.counters.stages.produce.sent]).toEqual([[100, 100], 200]);
  expect(at.counters.packets.produce.stream.failed).toBe(1);
});

test("an unknown collection is named together with those there are", () => {
  expect(() => collectionNamed(new Map([["notes", notes]]), "note")).toThrow(
    expect.objectContaining({ code: "collection_unknown", mend: "configured: notes" }),
  );
});
