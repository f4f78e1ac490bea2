import { Brokers } from "./brokers.ts";
import { clientOf } from "./client-of.ts";
import type { KafkaConnection } from "./connection.ts";

/** Throws `transport_unavailable` where the brokers can't be reached or one of the topics does not exist. */
export async function requireTopics(connection: KafkaConnection, topics: readonly string[]): Promise<void> {
  const brokers = new Brokers(await clientOf(connection));
  try {
    for (const topic of topics) await brokers.requireTopic(topic);
  } finally {
    await brokers.close();
  }
}
