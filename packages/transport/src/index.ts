export { openBullmqPostgres } from "./bullmq/postgres/bullmq-postgres.ts";
export type { BullmqPostgresOptions } from "./bullmq/postgres/config.ts";
export { migrateBullmq } from "./bullmq/postgres/migrate.ts";
export { openBullmqRedis } from "./bullmq/redis/bullmq-redis.ts";
export type { BullmqRedisOptions } from "./bullmq/redis/config.ts";
export { MemoryQueue, type MemoryQueueOptions } from "./memory/memory.ts";
