export { buildIndex, type IndexState } from "./collection-index.ts";
export type { CollectionStatus } from "./collection-status.ts";
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  openEmbeddedPostgres,
} from "./embedded/embedded-postgres.ts";
export { type Figures, type RunFigures, readFigures } from "./figures.ts";
export type { CollectionLayout } from "./migrations/collection-tables.ts";
export { type MigrationStep, migrate, planMigration } from "./migrations/migrate.ts";
export { openPool, openPostgresStore, type PostgresStore } from "./postgres-store.ts";
export type { Hit, Search } from "./search.ts";
