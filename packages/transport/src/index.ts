export { openBullmqPostgres } from "./bullmq-postgres/bullmq-postgres.ts";
export type { BullmqPostgresOptions } from "./bullmq-postgres/config.ts";
export { migrateBullmq } from "./bullmq-postgres/migrate.ts";
export type { KafkaConnection, KafkaLogin } from "./kafka/connection.ts";
export { type ConsumeTopicsOptions, consumeTopics } from "./kafka/consume-topics.ts";
export { type KafkaOptions, openKafka } from "./kafka/kafka.ts";
export type { NewMessage, TopicMessage } from "./kafka/topic-message.ts";
export { openTopicWriter, type TopicWriter, type TopicWriterOptions } from "./kafka/topic-writer.ts";
export { MemoryQueue, type MemoryQueueOptions } from "./memory/memory.ts";
