import { describeTransport } from "@medley/transport/conformance";
import { describe } from "vitest";
import { startKafka } from "./kafka-log.ts";

const brokers = process.env.KAFKA_BROKERS;

describe.skipIf(brokers === undefined)("on the brokers at KAFKA_BROKERS", () => {
  for (const client of ["kafkajs", "platformatic"] as const) {
    describeTransport(`Kafka by ${client}`, () => startKafka(brokers as string, client), { unit: "records" });
  }
});
