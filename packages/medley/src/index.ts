export {
  type CollectionDefinition,
  type DeadLetter,
  defineConfig,
  type ErrorCode,
  type Fields,
  type FullTextDefinition,
  type MedleyDefinition,
  MedleyError,
  type SearchQuery,
  type SpaceDefinition,
} from "@medley/core";
export { openSource } from "@medley/sources";
export type { Hit } from "@medley/store";
export { type BackfillOptions, type BackfillResult, backfill } from "./backfill/backfill.ts";
export { hitTable } from "./cli/search.ts";
export { type LoadedConfig, loadConfig } from "./config/load-config.ts";
export { readSettings, type Settings } from "./config/settings.ts";
export type { Deployment, StageName } from "./deployment/deployment.ts";
export { type DeploymentOptions, openDeployment } from "./deployment/open-deployment.ts";
export { type GraphDimensionsOptions, setGraphDimensions } from "./indexing/graph-dimensions.ts";
export { runService } from "./run-service.ts";
export { type Role, type ServeOptions, serve } from "./serve.ts";
