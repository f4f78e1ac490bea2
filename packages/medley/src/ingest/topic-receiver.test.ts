import {
  type ChannelPackets,
  checkConfig,
  type DeadLetter,
  MedleyError,
  type RecordEnvelope,
  type TopicMessage,
  type TopicSource,
  VersionClock,
} from "@medley/core";
import { pipelineCounters } from "@medley/pipeline";
import { expect, test } from "vitest";
import { TopicReceiver } from "./topic-receiver.ts";

const source = { kind: "topic", topic: "t", format: "debezium", version: "$source.lsn" } as const;
const [collection] = checkConfig({
  collections: {
    products: {
      version: "lsn",
      fields: { name: "text", price: "number" },
      spaces: { price: { encoder: "number", field: "price", range: [0, 9] } },
      sources: [source],
    },
  },
});
const { signal } = new AbortController();
const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

function message(offset: number, value: unknown, given: Partial<TopicMessage> = {}): TopicMessage {
  const bytes =
    value === null ? null : Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
  const key = Buffer.from('{"id":1}');
  return {
    topic: "t",
    partition: 0,
    offset: BigInt(offset),
    key,
    headers: {},
    timestampMs: 5,
    ...given,
    value: bytes,
  };
}

const change = (op: string, after: object | null, lsn: number) => ({
  op,
  before: null,
  after,
  source: { lsn },
});

/** A receiver over a lane that refuses as told. */
function receiver(
  refuse: (envelopes: readonly RecordEnvelope[], call: number) => MedleyError | null = () => null,
) {
  const sent: RecordEnvelope[] = [];
  const letters: DeadLetter[] = [];
  const counters = pipelineCounters();
  let calls = 0;
  const lane = {
    unit: "packets" as const,
    backlog: async () => ({ waiting: 0, inFlight: 0 }),
    send: async (_: string, packet: ChannelPackets["records"]) => {
      calls += 1;
      const refusal = refuse(packet.envelopes, calls);
      if (refusal !== null) throw refusal;
      sent.push(...packet.envelopes);
    },
  };
  const produce = {
    collections: new Map([["products", collection as NonNullable<typeof collection>]]),
    lanes: { stream: lane, backfill: lane } as never,
    versions: new VersionClock({ nowMs: () => 1 }),
    counters,
    backlogPacketsMax: 10,
  };
  const store = { addDeadLetters: async (added: readonly DeadLetter[]) => void letters.push(...added) };
  const made = new TopicReceiver({ produce, store }, collection as never, source as TopicSource);
  return { receive: made.receive.bind(made), sent, letters, counters, calls: () => calls };
}

test("records carry when they were written and their trace; what does not fit is a dead letter with the version it has", async () => {
  const { receive, sent, letters, counters } = receiver();
  await receive(
    [
      message(1, change("c", { id: 1, name: "spade", price: 2 }, 100), { headers: { traceparent: trace } }),
      message(2, change("u", { id: 1, name: "spade", price: true }, 110), {
        headers: { traceparent: "of no form" },
      }),
      message(3, "{not json"),
    ],
    signal,
  );
  expect(sent).toMatchObject([{ id: "1", version: 100n, acceptedAtMs: 5, trace, source: "t[0]@1" }]);
  expect(letters).toMatchObject([
    { code: "body_malformed", source: "t[0]@3", recordId: null, stage: "produce", runId: null },
    { code: "record_invalid", source: "t[0]@2", recordId: "1" },
  ]);
  expect(JSON.parse(Buffer.from(letters[1]?.payload ?? []).toString())).toMatchObject({
    id: "1",
    lsn: 110,
    price: true,
  });
  expect(counters.stages.produce).toMatchObject({ received: 3, sent: 1, deadLetters: 2 });
});

test("while the lane is full it waits, and drops nothing", async () => {
  const full = new MedleyError("overloaded", "full");
  const { receive, sent, letters, calls } = receiver((_, call) => (call < 3 ? full : null));
  await receive([message(1, change("c", { id: 1, price: 1 }, 100))], signal);
  expect([sent.length, letters.length, calls()]).toEqual([1, 0, 3]);
});

test("asked to stop while the lane is full, it gives the messages back", async () => {
  const { receive, sent } = receiver(() => new MedleyError("overloaded", "full"));
  const controller = new AbortController();
  const received = receive([message(1, change("c", { id: 1, price: 1 }, 100))], controller.signal);
  setTimeout(() => controller.abort(new Error("lost")), 20);
  await expect(received).rejects.toThrow("lost");
  expect(sent).toEqual([]);
});

test("a partition that is another's by now gets nothing sent", async () => {
  const { receive, sent, letters } = receiver();
  const messages = [message(1, "{not json"), message(2, change("c", { id: 1, price: 1 }, 100))];
  await expect(receive(messages, AbortSignal.abort(new Error("lost")))).rejects.toThrow("lost");
  expect([sent, letters]).toEqual([[], []]);
});

test("a record that the lane never takes stands alone as a dead letter; a lane that is away fails all", async () => {
  const tooLarge = new MedleyError("body_too_large", "too large");
  const { receive, sent, letters } = receiver((all) =>
    all.some(({ version }) => version === 105n) ? tooLarge : null,
  );
  const messages = Array.from({ length: 9 }, (_, n) =>
    message(n, change("c", { id: n, price: 1 }, 100 + n), { key: null }),
  );
  await receive(messages, signal);
  expect(letters).toMatchObject([{ code: "body_too_large", recordId: "5", version: 105n, source: "t[0]@5" }]);
  expect(new Set(sent.map(({ id }) => id))).toEqual(new Set(["0", "1", "2", "3", "4", "6", "7", "8"]));
  const away = receiver(() => new MedleyError("transport_unavailable", "away"));
  await expect(away.receive(messages, signal)).rejects.toThrow("away");
  expect(away.letters).toEqual([]);
});

test("messages that come again after a failure are the same ones: a tombstone still repeats the delete before it", async () => {
  let fails = true;
  const { receive, sent, letters } = receiver(() =>
    fails ? new MedleyError("transport_unavailable", "away") : null,
  );
  await receive([], signal);
  const deleted = message(1, change("d", null, 100));
  fails = false;
  await receive([deleted], signal);
  fails = true;
  const batch = [message(2, null), message(3, change("c", { id: 2, price: 1 }, 120))];
  await expect(receive(batch, signal)).rejects.toThrow("away");
  fails = false;
  await receive(batch, signal);
  expect(letters).toEqual([]);
  expect(sent.map(({ op, version }) => [op, version])).toEqual([
    ["delete", 100n],
    ["upsert", 120n],
  ]);
  // Of another partition nothing is known.
  await receive([message(4, null, { partition: 1 })], signal);
  expect(letters).toMatchObject([{ source: "t[1]@4", code: "record_invalid" }]);
});
