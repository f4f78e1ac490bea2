import {
  encodePacket,
  type Packet,
  packetSchemaVersion,
  type RecordEnvelope,
  type TopicMessage,
  version,
} from "@medley/core";
import { expect, test } from "vitest";
import { messagesOfPacket, packetBatchesOf, packetMessageOf } from "./packet-message.ts";

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

function packetOf(collection: string, ...ids: readonly string[]): Packet<RecordEnvelope> {
  const envelopes = ids.map((id, index) => ({
    id,
    version: version(BigInt(index)),
    op: "delete" as const,
    fields: {},
    source: "test",
  }));
  return { collection, envelopes, chunk: null };
}

let offset = 0n;

function messageOf(value: string | null, key: string | null = null): TopicMessage {
  offset += 1n;
  return {
    topic: "medley-records",
    partition: 0,
    offset,
    key: key === null ? null : Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: {},
    timestampMs: 0,
  };
}

function sent(packet: Packet<RecordEnvelope>): readonly TopicMessage[] {
  return messagesOfPacket(packet).map(({ key, value }) => messageOf(String(value), String(key)));
}

function bench() {
  const received: { packet: Packet; attempt: number }[] = [];
  const undecodable: TopicMessage[] = [];
  const faults: string[] = [];
  const batchesOf = (messages: readonly TopicMessage[]) =>
    packetBatchesOf(
      {
        channel: "records",
        receive: async (delivery) => {
          received.push(delivery);
        },
        onUndecodable: async (given) => {
          undecodable.push(...given);
        },
        onFault: ({ code }) => faults.push(code),
      },
      messages.map(packetMessageOf),
    );
  return { received, undecodable, faults, batchesOf };
}

const signal = new AbortController().signal;

test("an envelope is a message by itself, keyed by collection and record, with its trace beside it", () => {
  const packet = packetOf("films", "a/b", "é");
  const [first, second] = messagesOfPacket({
    ...packet,
    envelopes: packet.envelopes.map((envelope, index) => (index === 0 ? { ...envelope, trace } : envelope)),
  });
  expect([first?.key, second?.key]).toEqual(["films/a/b", "films/é"]);
  expect([first?.headers, second?.headers]).toEqual([{ traceparent: trace }, undefined]);
  expect(second?.value).toBe(encodePacket({ ...packet, envelopes: packet.envelopes.slice(1) }));
});

test("messages of several packets become one packet for each collection, in order", async () => {
  const { received, batchesOf } = bench();
  const messages = [packetOf("films", "a"), packetOf("notes", "b"), packetOf("films", "c")].flatMap(sent);
  const batches = batchesOf(messages);
  for (const batch of batches) await batch.receive(3, signal);
  expect(
    received.map(({ packet, attempt }) => [packet.collection, packet.envelopes.map((e) => e.id), attempt]),
  ).toEqual([
    ["films", ["a", "c"], 3],
    ["notes", ["b"], 3],
  ]);
  expect(batches.map((batch) => batch.messages.map((one) => one.offset))).toEqual([
    [messages[0]?.offset, messages[2]?.offset],
    [messages[1]?.offset],
  ]);
});

test("messages of a record have one order, those of a collection one group", () => {
  const [first, second, other] = [packetOf("films", "é"), packetOf("films", "é"), packetOf("films", "x")]
    .flatMap(sent)
    .map(packetMessageOf);
  expect(first?.order).toBe(second?.order);
  expect(first?.order).not.toBe(other?.order);
  expect([first?.group, other?.group]).toEqual(["films", "films"]);
  expect(packetMessageOf(messageOf("hello"))).toMatchObject({ order: null, group: "" });
  expect(packetMessageOf(messageOf("hello", "no slash"))).toMatchObject({ order: "no slash", group: "" });
});

test("a message of a later version waits; the others go on", async () => {
  const { received, faults, batchesOf } = bench();
  const next = encodePacket(packetOf("films", "new")).replace(
    /"schemaVersion":\d+/,
    `"schemaVersion":${packetSchemaVersion + 1}`,
  );
  const batches = batchesOf([messageOf(next), ...sent(packetOf("films", "a"))]);
  const outcomes = await Promise.allSettled(batches.map((batch) => batch.receive(1, signal)));
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect(received.map(({ packet }) => packet.envelopes.map(({ id }) => id))).toEqual([["a"]]);
  expect(faults).toEqual(["data_too_new"]);
});

test("what holds no packet is handed over, and the others go on", async () => {
  const { received, undecodable, batchesOf } = bench();
  const strange = [messageOf("hello"), messageOf(null), messageOf('{"schemaVersion":1}', "films/a")];
  const batches = batchesOf([...strange, ...sent(packetOf("films", "a"))]);
  for (const batch of batches) await batch.receive(1, signal);
  expect(undecodable).toEqual(strange);
  expect(received).toHaveLength(1);
});
