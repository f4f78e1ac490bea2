export { openBullmqPostgres } from "./bullmq/postgres/bullmq-postgres.ts";
export type { BullmqPostgresOptions } from "./bullmq/postgres/config.ts";
export { migrateBullmq } from "./bullmq/postgres/migrate.ts";
export { bullmqMigrationSql } from "./bullmq/postgres/migration-sql.ts";
export { openBullmqRedis } from "./bullmq/redis/bullmq-redis.ts";
export type { BullmqRedisOptions } from "./bullmq/redis/config.ts";
export type { KafkaConnection, KafkaLogin } from "./kafka/connection.ts";
export { type ConsumeTopicsOptions, consumeTopics } from "./kafka/consume-topics.ts";
export { type KafkaOptions, openKafka } from "./kafka/kafka.ts";
export {
  messagesOfPacket,
  type PacketMessage,
  type PacketReceiver,
  packetBatchesOf,
  packetMessageOf,
} from "./kafka/packet-message.ts";
export { requireTopics } from "./kafka/require-topics.ts";
export type { NewMessage, TopicMessage } from "./kafka/topic-message.ts";
export { openTopicWriter, type TopicWriter, type TopicWriterOptions } from "./kafka/topic-writer.ts";
export {
  LogConsumer,
  type LogConsumerOptions,
  type PartitionOffset,
  type Timers,
} from "./log/log-consumer.ts";
export type { LogBatch, LogMessage, LogPartitionId } from "./log/log-partition.ts";
export { MemoryQueue, type MemoryQueueOptions } from "./memory/memory.ts";
