/** The parts of the adapters that decide, without a service: the simulator runs them over services of its own. */
export { openKafkaThrough } from "./kafka/kafka.ts";
export type {
  GroupMember,
  GroupOptions,
  KafkaAdmin,
  KafkaClient,
  KafkaProducer,
  MemberEvents,
} from "./kafka/kafka-client.ts";
export type { NewMessage } from "./kafka/topic-message.ts";
export type { Lease, LeaseBroker } from "./lease-broker.ts";
export { LeaseTransport } from "./lease-transport.ts";
export type { LogPartitionId } from "./log/log-partition.ts";
export type { Timers } from "./timers.ts";
