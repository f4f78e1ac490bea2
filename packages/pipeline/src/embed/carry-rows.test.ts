import { strict as assert } from "node:assert";
import {
  type ChangedRows,
  type DeadLetter,
  type Generation,
  type StoredRow,
  type StoredSegments,
  segmentHashBytes,
  type VectorEnvelope,
} from "@medley/core";
import { beforeEach, expect, test } from "vitest";
import { pipelineCounters } from "../counters.ts";
import { openNotes, segmentOf, stubDimensions, vectorOf } from "../ports.fixture.ts";
import { attemptsBeforeIsolation } from "./attempts.ts";
import { type CarryPorts, carryRows } from "./carry-rows.ts";
import { segmentHash } from "./segment-hash.ts";

const opened = openNotes();
const to = { ...opened.opened, generation: 2 };

/** Titles as in the next generation, but behind the bodies; these by an encoder before. */
const from: Generation = {
  ...{ collection: "notes", generation: 1, state: "live" },
  segments: [
    { space: "body", offset: 0, dimensions: stubDimensions, encoderIdentity: "body-0", fields: ["body"] },
    {
      ...{ space: "title", offset: stubDimensions, dimensions: stubDimensions },
      ...{ encoderIdentity: "title-1", fields: ["title"] },
    },
  ],
};

const titleSegment = Float16Array.of(0.5, 0.25, 0, 0.125);

function row(version: number, fields: StoredRow["fields"], deleted = false): StoredRow {
  const vector = deleted ? [] : [1, 0, 0, 0, ...titleSegment];
  return {
    ...{ version: BigInt(version), deleted, fields },
    vector: Float16Array.from(vector),
    segmentHashes: new Uint8Array(deleted ? 0 : 2 * segmentHashBytes).map((_, at) => at),
  };
}

let rows: Map<string, StoredRow>;
let there: Map<string, StoredSegments>;
let carried: VectorEnvelope[];
let letters: DeadLetter[];
let finished: ChangedRows[];
let tries: number;
const store: CarryPorts["store"] = {
  readNeighbourhoods: async () => assert.fail("no space hears of neighbours"),
  readGenerations: async () => [from],
  takeChanges: async (collection, generation) =>
    finished.length > 0
      ? null
      : { collection, generation, ids: [...rows.keys(), "gone since"], tries, positions: ["1"] },
  readRows: async () => rows,
  readSegments: async () => there,
  carryRows: async (_collection, envelopes) => void carried.push(...envelopes),
  finishChanges: async (changes) => void finished.push(changes),
  addDeadLetters: async (of) => void letters.push(...of),
};

beforeEach(() => {
  [rows, there, carried, letters, finished] = [new Map(), new Map(), [], [], []];
  tries = 1;
  for (const encoder of [opened.title, opened.body]) encoder.batches.length = 0;
});

const carry = (counters = pipelineCounters()) =>
  carryRows({ from, to, store, counters }, new AbortController().signal);

test("what the same encoder made of the same fields is copied bit for bit, wherever it lies; the rest is encoded", async () => {
  rows.set("a", row(7, { title: "A", body: "alpha" }));
  const counters = pipelineCounters();
  expect(await carry(counters)).toBe(2);
  const [envelope] = carried as [VectorEnvelope];
  expect(envelope).toMatchObject({ id: "a", version: 7n, op: "upsert", generation: 2 });
  expect([...envelope.vector]).toEqual([...titleSegment, ...segmentOf("alpha")]);
  const titleHash = Uint8Array.from({ length: segmentHashBytes }, (_, at) => segmentHashBytes + at);
  expect([...envelope.segmentHashes]).toEqual([...titleHash, ...segmentHash("body-1", "alpha")]);
  expect([opened.title.texts, opened.body.texts]).toEqual([[], ["alpha"]]);
  expect(counters.segments).toMatchObject({ reused: 1, encoded: 1, encodedByModel: 1 });
  expect(finished).toHaveLength(1);
  expect(await carry()).toBe(0);
});

test("what the row there is already made of is not encoded again", async () => {
  rows.set("a", row(7, { title: "A", body: "alpha" }));
  rows.set("b", row(8, { title: "B", body: "beta" }));
  await carry();
  for (const { id, vector, segmentHashes } of carried)
    there.set(id, { version: 7n, deleted: id === "b", vector, segmentHashes });
  const before = carried;
  [carried, finished] = [[], []];
  rows.set("a", row(9, { title: "another", body: "alpha" }));
  opened.body.batches.length = 0;
  const counters = pipelineCounters();
  await carry(counters);
  expect(opened.body.texts).toEqual(["beta"]);
  expect(counters.segments).toMatchObject({ reused: 3, encoded: 1 });
  expect(carried.map(({ id, version }) => [id, version])).toEqual([
    ["a", 9n],
    ["b", 8n],
  ]);
  expect(carried.map(({ vector }) => vector)).toEqual(before.map(({ vector }) => vector));
});

test("while a row that can't be encoded is looked for, its neighbours are encoded again: they show that the encoder works", async () => {
  for (const id of ["a", "b"]) rows.set(id, row(1, { title: id, body: id }));
  await carry();
  for (const one of carried) there.set(one.id, { ...one, deleted: false });
  opened.body.batches.length = 0;
  [finished, tries] = [[], attemptsBeforeIsolation + 1];
  await carry();
  expect(opened.body.texts.toSorted()).toEqual(["a", "b"]);
});

test("a tombstone and a missing field are carried, and cost nothing", async () => {
  rows.set("a", row(3, {}, true));
  rows.set("b", row(4, { title: "B", body: null }));
  await carry();
  expect(carried.map(({ id, op, vector }) => [id, op, vector.length])).toEqual([
    ["a", "delete", 0],
    ["b", "upsert", 2 * stubDimensions],
  ]);
  expect([...(carried[1] as VectorEnvelope).vector.subarray(stubDimensions)]).toEqual([0, 0, 0, 0]);
  expect(opened.body.texts).toEqual([]);
});

test("other fields of a space, or other dimensions, are no reason to copy", async () => {
  rows.set("a", row(1, { title: "A", body: "alpha" }));
  for (const other of [{ fields: ["body"] }, { dimensions: 3 }, { encoderIdentity: "title-0" }]) {
    const [body, title] = from.segments as [Generation["segments"][number], Generation["segments"][number]];
    const changed = { ...from, segments: [body, { ...title, ...other }] };
    [carried, finished] = [[], []];
    await carryRows({ from: changed, to, store, counters: pipelineCounters() }, new AbortController().signal);
    expect([...(carried[0] as VectorEnvelope).vector]).toEqual([...vectorOf({ title: "A", body: "alpha" })]);
  }
});

test("a row that can't be encoded is a dead letter; the others go on", async () => {
  rows.set("a", row(1, { title: "A", body: "bad" }));
  rows.set("b", row(2, { title: "B", body: "beta" }));
  await carry();
  expect(carried.map(({ id }) => id)).toEqual(["b"]);
  expect(letters).toMatchObject([{ recordId: "a", version: 1n, stage: "embed", source: "generation:1" }]);
  expect(finished).toHaveLength(1);
});

test("where the encoder is away nothing is written or finished: it is taken again", async () => {
  rows.set("a", row(1, { title: "A", body: "alpha" }));
  opened.body.unavailable = true;
  await expect(carry()).rejects.toMatchObject({ code: "encoder_unavailable" });
  opened.body.unavailable = false;
  expect([carried, letters, finished]).toEqual([[], [], []]);
});
