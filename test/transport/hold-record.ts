import { type KafkaConnection, openKafka } from "@medley/transport";
import { holdOne } from "./holder.ts";
import { optionsOf } from "./kafka-log.ts";

// A process that takes one packet and holds it until it is killed.
const [client, brokers = "", prefix = ""] = process.argv.slice(2);
const connection = {
  brokers: [brokers],
  client: client as KafkaConnection["client"],
  tls: false,
  login: null,
};
const transport = await openKafka(optionsOf(connection, prefix));
await holdOne(transport);
