export {
  buildIndex,
  dropIndex,
  type IndexBuild,
  type IndexBuildOptions,
  mayIndex,
  readAllCollections,
} from "./collection-index.ts";
export type { CollectionStatus } from "./collection-status.ts";
export {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  openEmbeddedPostgres,
} from "./embedded/embedded-postgres.ts";
export { type Figures, type RunFigures, readFigures } from "./figures.ts";
export { writeFilterFields } from "./filter-indexes.ts";
export {
  differingSegments,
  isAnalysed,
  missingRows,
  type Pair,
  type SearchTrial,
  sampledIds,
  trySearches,
} from "./generations/gates.ts";
export {
  beginGeneration,
  dropGeneration,
  noteRows,
  readGenerations,
  readWaitingChanges,
  readWaitingRefreshes,
  type StoredGeneration,
  segmentsOf,
  switchGeneration,
  type Waiting,
} from "./generations/generations.ts";
export { listenForGenerations } from "./generations/listen.ts";
export { type GenerationLock, lockEmbeddedGenerations, lockGenerations } from "./generations/lock.ts";
export {
  forgetReaders,
  type Reader,
  type ReaderReport,
  readerReportMs,
  readReaders,
  reportReader,
} from "./generations/readers.ts";
export { neighboursMax } from "./graph/read-neighbourhoods.ts";
export {
  checkNoGraphs,
  hasGraphs,
  type OfGeneration,
  readGraphDimensions,
  type SpaceAxes,
  writeGraphAxes,
} from "./graph-axes.ts";
export type { IndexProgress } from "./index-progress.ts";
export { type IndexState, indexRowsMin, readPathIndexes } from "./index-state.ts";
export type { CollectionLayout, StoredCollection } from "./migrations/collection-tables.ts";
export { type MigrationStep, migrate, planMigration, readCatalogue } from "./migrations/migrate.ts";
export { pgvectorWarning, readPgvectorWarning, requirePgvector } from "./migrations/pgvector-version.ts";
export {
  type GrantedRole,
  grantRoles,
  grantSql,
  type RoleFault,
  type RoleKind,
  readRoleFaults,
} from "./migrations/roles.ts";
export { openPool, type PoolOptions } from "./pool.ts";
export { openPostgresStore, type PostgresStore } from "./postgres-store.ts";
export { type ForgottenAt, rebuildProfiles } from "./profiles.ts";
export { missingIds } from "./rows/missing-ids.ts";
export { readRecords, type StoredRecord } from "./rows/read-records.ts";
export { exactNeighbours, readVectors, type StoredVector } from "./rows/read-vectors.ts";
export { type SampledSpace, sampleSpaces } from "./rows/sampled-vectors.ts";
export type { Hit, Search, SearchPlan } from "./search.ts";
export { type AnalyzeOptions, analyzeSearch, type SearchAnalysis } from "./search-plans/analyze.ts";
export { shortenedWanted } from "./search-plans/learn-plans.ts";
