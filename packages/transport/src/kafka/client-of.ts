import type { KafkaConnection } from "./connection.ts";
import type { KafkaClient } from "./kafka-client.ts";

/** The library of the connection's choice; only that one is loaded. */
export async function clientOf(connection: KafkaConnection): Promise<KafkaClient> {
  if (connection.client === "kafkajs") {
    const { KafkajsClient } = await import("./kafkajs-client.ts");
    return new KafkajsClient(connection);
  }
  const { PlatformaticClient } = await import("./platformatic-client.ts");
  return new PlatformaticClient(connection);
}
