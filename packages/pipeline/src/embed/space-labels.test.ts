import type { Classifier, SpaceLabel, VectorEnvelope } from "@medley/core";
import { beforeEach, expect, test } from "vitest";
import { pipelineCounters } from "../counters.ts";
import {
  delivery,
  MemoryStore,
  openNotes,
  remove,
  SentPackets,
  segmentOf,
  upsert,
} from "../ports.fixture.ts";
import { embed } from "./embed.ts";

let store: MemoryStore;
let transport: SentPackets;
let opened: ReturnType<typeof openNotes>;

/** Says how the segment begins, to all of half precision's digits. */
const begins: Classifier = {
  classify: (segment) =>
    segment.every((value) => value === 0)
      ? null
      : { label: `begins with ${segment[0]}`, probability: 1 / (segment[1] as number) },
};

beforeEach(() => {
  store = new MemoryStore();
  transport = new SentPackets();
  opened = openNotes();
});

async function labelsOf(
  ...envelopes: ReturnType<typeof upsert>[]
): Promise<(VectorEnvelope["labels"] | undefined)[]> {
  transport.sent.length = 0;
  const ports = { collections: opened.collections, store, transport, counters: pipelineCounters() };
  await embed(ports, delivery(envelopes) as never, new AbortController().signal);
  await store.writeRows("notes", transport.vectors, null);
  return transport.vectors.map(({ labels }) => labels);
}

function labelOf(text: string): SpaceLabel {
  const [first, second] = segmentOf(text);
  return { label: `begins with ${first}`, probability: 1 / (second as number) };
}

test("a record has the label of each space with a classifier; a missing field has none, a delete no labels at all", async () => {
  opened.body.classifier = begins;
  const records = [upsert("a", 1, { title: "one", body: "two" }), upsert("b", 1, { title: "one" })];
  expect(await labelsOf(...records, remove("c", 1))).toEqual([{ body: labelOf("two") }, {}, undefined]);
});

test("where no space has a classifier an envelope holds no labels", async () => {
  await labelsOf(upsert("a", 1, { title: "one" }));
  expect(transport.vectors.map((envelope) => "labels" in envelope)).toEqual([false]);
});

test("a copied segment has the label of what is stored, without a call of the encoder; a changed one its own", async () => {
  opened.title.classifier = begins;
  opened.body.classifier = begins;
  await labelsOf(upsert("a", 1, { title: "one", body: "two" }));
  // As no encoder would give it: what is told was copied.
  store.rows.get("a")?.vector.set([0.125, 0.25, 0.375, -0]);
  opened.title.batches.length = 0;
  expect(await labelsOf(upsert("a", 2, { title: "one", body: "changed" }))).toEqual([
    { title: { label: "begins with 0.125", probability: 4 }, body: labelOf("changed") },
  ]);
  expect(opened.title.texts).toEqual([]);
});

test("another classifier of the same segments tells the records that come again, and no encoder runs", async () => {
  await labelsOf(upsert("a", 1, { title: "one" }));
  opened.title.batches.length = 0;
  opened.title.classifier = begins;
  expect(await labelsOf(upsert("a", 2, { title: "one" }))).toEqual([{ title: labelOf("one") }]);
  opened.title.classifier = { classify: () => ({ label: "other", probability: 1 }) };
  expect(await labelsOf(upsert("a", 3, { title: "one" }))).toEqual([
    { title: { label: "other", probability: 1 } },
  ]);
  expect(opened.title.texts).toEqual([]);
});
