export { openBullmqPostgres } from "./bullmq-postgres/bullmq-postgres.ts";
export type { BullmqPostgresOptions } from "./bullmq-postgres/config.ts";
export { migrateBullmq } from "./bullmq-postgres/migrate.ts";
export { bullmqMigrationSql } from "./bullmq-postgres/migration-sql.ts";
export { MemoryQueue, type MemoryQueueOptions } from "./memory/memory.ts";
