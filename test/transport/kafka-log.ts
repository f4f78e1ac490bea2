import { strict as assert } from "node:assert";
import { randomUUID } from "node:crypto";
import { type KafkaConnection, type KafkaOptions, openKafka } from "@medley/transport";
import type { QueueUnderTest } from "@medley/transport/conformance";
import kafkajs from "kafkajs";
import { startHolder } from "./holder.ts";
import { lineToBroker } from "./kafka-line.ts";
import type { Line } from "./line.ts";

/** Of tests: a session of two and a half seconds, an answer within two. */
export function optionsOf(connection: KafkaConnection, prefix: string): KafkaOptions {
  return {
    connection,
    prefix,
    partitions: 6,
    replication: 1,
    retentionHours: 1,
    sessionTimeoutMs: 2_500,
    heartbeatIntervalMs: 500,
    sendTimeoutMs: 2_000,
    onUndecodable: async () => assert.fail("there is nothing else in the topics"),
  };
}

/** Topics that are the test's own, new ones for each. */
export async function startKafka(
  brokers: string,
  client: KafkaConnection["client"],
): Promise<QueueUnderTest> {
  const [host = "", port = ""] = brokers.split(",")[0]?.split(":") ?? [];
  const connection = { brokers: [`${host}:${port}`], client, tls: false, login: null };
  const lines: Line[] = [];
  let prefix = prefixOf();
  return {
    open: () => openKafka(optionsOf(connection, prefix)),
    empty: async () => {
      await Promise.all(lines.splice(0).map((line) => line.cut()));
      await deleteTopics(connection.brokers, prefix);
      prefix = prefixOf();
    },
    startHolder: () => startHolder("hold-record.ts", [connection.client, connection.brokers.join(), prefix]),
    openOverLine: async () => {
      const line = lineToBroker({ host, port: Number(port) });
      lines.push(line);
      await line.mend();
      const through = { ...connection, brokers: [`127.0.0.1:${line.port}`] };
      const transport = await openKafka(optionsOf(through, prefix));
      return { transport, cut: () => line.cut(), mend: () => line.mend() };
    },
    stop: () => deleteTopics(connection.brokers, prefix),
  };
}

export function prefixOf(): string {
  return `test-${randomUUID().slice(0, 8)}`;
}

/** With their groups. */
export async function deleteTopics(brokers: readonly string[], prefix: string): Promise<void> {
  const admin = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
  if (topics.length > 0) await admin.deleteTopics({ topics });
  const { groups } = await admin.listGroups();
  const own = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(prefix));
  // One whose member was killed is not empty yet, and goes by itself.
  if (own.length > 0) await admin.deleteGroups(own).catch(() => {});
  await admin.disconnect();
}
