/** Dead letters in a topic as well as in the table, of a process with its own database and real brokers. */

import { randomBytes } from "node:crypto";
import type { TopicMessage } from "@medley/core";
import { consumeTopics, type KafkaConnection } from "@medley/transport";
import kafkajs from "kafkajs";
import {
  backfill,
  type DeadLetter,
  type Deployment,
  loadConfig,
  openDeployment,
  openSource,
  readSettings,
} from "medley";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deleteTopics, prefixOf } from "../transport/kafka-log.ts";
import { Workplace } from "./medley.fixture.ts";

const brokers = process.env.KAFKA_BROKERS ?? "";
const prefix = prefixOf();
const topic = `${prefix}-dead`;
const messageBytesMax = 50_000;
const config = {
  collections: {
    prices: {
      fields: { price: "number" },
      spaces: { price: { encoder: "number", field: "price", range: [0, 100] } },
    },
  },
};

describe.skipIf(process.env.KAFKA_BROKERS === undefined)("letters in a topic (needs KAFKA_BROKERS)", () => {
  const connection: KafkaConnection = {
    brokers: brokers.split(","),
    client: "kafkajs",
    tls: false,
    login: null,
  };
  let workplace: Workplace;
  let deployment: Deployment;

  beforeAll(async () => {
    await createTopic();
    workplace = new Workplace(config);
    const { collections } = await loadConfig(workplace.folder);
    const settings = readSettings({
      MEDLEY_DATA_DIR: workplace.path(".medley"),
      MEDLEY_POSTGRES_PORT: "0",
      MEDLEY_KAFKA_BROKERS: brokers,
      MEDLEY_KAFKA_DEAD_LETTER_TOPIC: topic,
      MEDLEY_LANE_PREFIX: prefix,
    });
    deployment = await openDeployment({ collections, settings });
    await deployment.runStages(["embed", "index"]);
  });
  afterAll(async () => {
    await deployment?.close();
    await workplace?.[Symbol.asyncDispose]();
    await deleteTopics(connection.brokers, prefix);
  });

  async function createTopic(): Promise<void> {
    const admin = new kafkajs.Kafka({ brokers: connection.brokers.slice(), logLevel: 0 }).admin();
    await admin.connect();
    const configEntries = [{ name: "max.message.bytes", value: String(messageBytesMax) }];
    await admin.createTopics({
      topics: [{ topic, numPartitions: 1, configEntries }],
      waitForLeaders: true,
    });
    await admin.disconnect();
  }

  /** All that the topic holds, once it is so many. */
  async function read(messageCount: number): Promise<readonly TopicMessage[]> {
    const messages: TopicMessage[] = [];
    const consumer = await consumeTopics({
      connection,
      topics: [topic],
      group: `${prefix}-reader-${messageCount}`,
      receive: async (received) => void messages.push(...received),
      messagesInFlightMax: 100,
      batchMessagesMax: 100,
      fromBeginning: true,
      onFault: () => {},
    });
    await expect.poll(() => messages.length, { timeout: 60_000 }).toBe(messageCount);
    await consumer.close({ graceMs: 1_000 });
    return messages;
  }

  const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString());

  test("a letter is there with its record's id and payload, and says why as Kafka Connect would", async () => {
    const lines = ['{"id": "a", "price": 1}', '{"id": "b", "price": "much"}', "no JSON"];
    const path = workplace.write("prices.jsonl", lines.join("\n"));
    const source = await openSource(path);
    const { runId, progress } = await backfill({ deployment, collection: "prices", source, path });
    expect(progress).toMatchObject({ indexed: 1, deadLetters: 2 });
    const stored = await deployment.store.listDeadLetters({ oldestFirst: true, limit: 3 });
    expect(stored.map(({ recordId }) => recordId).sort()).toEqual(["b", null]);
    const messages = await read(2);
    for (const letter of stored) {
      const message = messages.find(({ key }) => textOf(key) === letter.recordId);
      expect(textOf(message?.value ?? null)).toBe(textOf(letter.payload));
      expect(message?.headers).toEqual({
        "__connect.errors.connector.name": "medley-prices",
        "__connect.errors.task.id": "0",
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.class.name": "medley.produce",
        "__connect.errors.exception.class.name": letter.code,
        "__connect.errors.exception.message": letter.reason,
        "medley.collection": "prices",
        "medley.stage": "produce",
        "medley.version": String(letter.version),
        "medley.source": letter.source,
        "medley.run": runId,
        "medley.attempt": "1",
      });
    }
  });

  test("one from a topic says its offset; one too long for the topic comes without its payload, its neighbours whole", async () => {
    const letter: DeadLetter = {
      collection: "prices",
      recordId: "c",
      version: 7n,
      stage: "embed",
      code: "encoder_failed",
      reason: "why",
      payload: Buffer.from("short"),
      source: "shop.prices[3]@42",
      runId: null,
      attempt: 41,
      trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    const long = {
      ...letter,
      recordId: "d",
      payload: randomBytes(2 * messageBytesMax),
    };
    await deployment.store.addDeadLetters([letter, long]);
    const messages = await read(4);
    const of = (id: string) => messages.find(({ key }) => textOf(key) === id);
    expect(textOf(of("c")?.value ?? null)).toBe("short");
    expect(of("c")?.headers).toMatchObject({
      "__connect.errors.topic": "shop.prices",
      "__connect.errors.partition": "3",
      "__connect.errors.offset": "42",
      "__connect.errors.stage": "TRANSFORMATION",
      "medley.attempt": "41",
      traceparent: letter.trace,
    });
    expect(of("d")?.value).toHaveLength(0);
    expect(of("d")?.headers).toMatchObject({ "medley.omitted.bytes": String(2 * messageBytesMax) });
    const [stored] = await deployment.store.listDeadLetters({ where: { recordId: "d" }, limit: 1 });
    expect(stored?.payload).toHaveLength(2 * messageBytesMax);
  });
});
