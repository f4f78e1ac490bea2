import { setTimeout as sleep } from "node:timers/promises";
import type { TopicMessage } from "@medley/core";
import {
  type ConsumeTopicsOptions,
  consumeTopics,
  type KafkaConnection,
  openTopicWriter,
} from "@medley/transport";
import { Producer } from "@platformatic/kafka";
import kafkajs from "kafkajs";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { lineToBroker } from "./kafka-line.ts";
import { deleteTopics, prefixOf } from "./kafka-log.ts";

const brokers = process.env.KAFKA_BROKERS?.split(",") ?? [];

for (const client of ["kafkajs", "platformatic"] as const) {
  describe.skipIf(brokers.length === 0)(`topics by ${client} (needs KAFKA_BROKERS)`, () => {
    describeTopics({ brokers, client, tls: false, login: null });
  });
}

function describeTopics(connection: KafkaConnection): void {
  const prefix = prefixOf();
  const opened: { close(options: { graceMs: number }): Promise<void> }[] = [];
  let topics = 0;
  let topic = "";

  beforeEach(async () => {
    topics += 1;
    topic = `${prefix}-${topics}`;
    await createTopic(topic, 1);
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close({ graceMs: 0 })));
  });

  afterAll(() => deleteTopics(brokers, prefix));

  async function consume(options: Partial<ConsumeTopicsOptions> = {}) {
    const messages: TopicMessage[] = [];
    const consumer = await consumeTopics({
      connection,
      topics: [topic],
      group: topic,
      receive: async (batch) => {
        messages.push(...batch);
      },
      messagesInFlightMax: 1_000,
      batchMessagesMax: 10,
      onFault: () => {},
      fromBeginning: true,
      ...options,
    });
    opened.push(consumer);
    const values = () => messages.map(({ value }) => value && Buffer.from(value).toString());
    return { messages, values, consumer };
  }

  async function write(...values: readonly (string | null)[]): Promise<void> {
    const writer = await openTopicWriter({ connection });
    await writer.send(
      topic,
      values.map((value) => ({ key: "k", value })),
    );
    await writer.close();
  }

  test("messages come as they were written, tombstones and headers included", async () => {
    const writer = await openTopicWriter({ connection });
    await writer.send(topic, [
      { key: "é", value: Uint8Array.of(0, 255), headers: { traceparent: "00-ü" } },
      { key: null, value: "text" },
      { key: Uint8Array.of(1), value: null },
    ]);
    await writer.close();
    const { messages } = await consume();
    await expect.poll(() => messages.length, { timeout: 10_000 }).toBe(3);
    const plain = messages.map(({ key, value, headers, offset }) => ({
      key: key && [...key],
      value: value && [...value],
      headers,
      offset,
    }));
    expect(plain).toEqual([
      { key: [...Buffer.from("é")], value: [0, 255], headers: { traceparent: "00-ü" }, offset: 0n },
      { key: null, value: [...Buffer.from("text")], headers: {}, offset: 1n },
      { key: [1], value: null, headers: {}, offset: 2n },
    ]);
    expect(Math.abs((messages[0]?.timestampMs ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test("a rejected call comes again as it was, and nothing of its partition before it is done", async () => {
    await write(...Array.from({ length: 25 }, (_, index) => `${index}`));
    const calls: (readonly string[])[] = [];
    await consume({
      receive: async (batch) => {
        calls.push(batch.map(({ value }) => String(value)));
        if (calls.length === 2 || calls.length === 3) throw new Error("not yet");
        await sleep(5);
      },
    });
    await expect.poll(() => calls.length, { timeout: 10_000 }).toBe(5);
    expect(calls.map((call) => [call[0], call.length])).toEqual([
      ["0", 10],
      ["10", 10],
      ["10", 10],
      ["10", 10],
      ["20", 5],
    ]);
  });

  test("another member begins where what was done ends, also after what an aborted transaction left", async () => {
    await write("a", "b");
    await writeTransaction(topic, "aborted", false);
    await writeTransaction(topic, "committed", true);
    const first = await consume();
    await expect.poll(() => first.values(), { timeout: 10_000 }).toEqual(["a", "b", "committed"]);
    await first.consumer.close({ graceMs: 1_000 });
    await write("c");
    const second = await consume();
    await expect.poll(() => second.values(), { timeout: 10_000 }).toEqual(["c"]);
  });

  test("a group without an offset begins with what comes next where it is told so, and keeps its place", async () => {
    await write("before");
    const first = await consume({ fromBeginning: false });
    // Its place is known once the first message came.
    await expect
      .poll(
        async () => {
          await write("probe");
          return first.values().length;
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(0);
    expect(first.values()).not.toContain("before");
    await first.consumer.close({ graceMs: 1_000 });
    await write("meanwhile");
    const second = await consume({ fromBeginning: false });
    await expect.poll(() => second.values(), { timeout: 10_000 }).toContain("meanwhile");
  });

  test.for(["gzip", "snappy", "lz4", "zstd"] as const)(
    "messages compressed by %s are read",
    async (compression) => {
      const producer = new Producer({ clientId: "test", bootstrapBrokers: brokers, compression });
      const value = Buffer.from("again and ".repeat(100));
      await producer.send({
        messages: [
          { topic, value },
          { topic, value },
        ],
        acks: 1,
      });
      await producer.close();
      const { values } = await consume();
      await expect.poll(() => values(), { timeout: 10_000 }).toEqual([String(value), String(value)]);
    },
  );

  test("a topic that is missing, and brokers that are not there, are said at once", async () => {
    const unavailable = { code: "transport_unavailable", mend: expect.any(String) };
    await expect(consume({ topics: [`${topic}-missing`] })).rejects.toMatchObject(unavailable);
    const nowhere = { ...connection, brokers: ["127.0.0.1:1"] };
    await expect(consume({ connection: nowhere })).rejects.toMatchObject(unavailable);
    await expect(openTopicWriter({ connection: nowhere, sendTimeoutMs: 1_000 })).rejects.toMatchObject(
      unavailable,
    );
  }, 30_000);

  test("a line that falls silent, longer than a session, costs nothing but time", async () => {
    const [host = "", port = ""] = brokers[0]?.split(":") ?? [];
    const line = lineToBroker({ host, port: Number(port) });
    await line.mend();
    const faults: string[] = [];
    const { values } = await consume({
      connection: { ...connection, brokers: [`127.0.0.1:${line.port}`] },
      onFault: ({ message }) => faults.push(message),
    });
    await write("before");
    await expect.poll(() => values(), { timeout: 10_000 }).toEqual(["before"]);
    line.stall();
    await write("meanwhile");
    await sleep(15_000);
    line.mend();
    await expect.poll(() => values(), { timeout: 40_000 }).toContain("meanwhile");
    await write("after");
    await expect.poll(() => values(), { timeout: 20_000 }).toContain("after");
    expect(faults.length).toBeLessThan(60);
    await Promise.all(opened.splice(0).map((one) => one.close({ graceMs: 0 })));
    await line.cut();
  }, 120_000);
}

async function createTopic(topic: string, partitions: number): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  await admin.disconnect();
}

async function writeTransaction(topic: string, value: string, commits: boolean): Promise<void> {
  const producer = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).producer({
    transactionalId: `${topic}-${value}`,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ key: "k", value }] });
  await (commits ? transaction.commit() : transaction.abort());
  await producer.disconnect();
}
