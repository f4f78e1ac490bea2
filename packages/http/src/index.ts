export { type AccessToken, type Scope, scopes } from "./access.ts";
export { requestRecordsMax } from "./body/record-items.ts";
export { type RequestCount, RequestCounters } from "./request-counters.ts";
export {
  type CollectionDescription,
  type CollectionsAnswer,
  collectionsRoutes,
} from "./routes/collections.ts";
export { type EncodeAnswer, encodeInputsMax, encodeRoutes } from "./routes/encode.ts";
export { healthRoutes, type ReadinessAnswer, type ReadinessCheck } from "./routes/health.ts";
export { type MetricsPorts, metricsRoutes } from "./routes/metrics.ts";
export { type RecordsAnswer, type RecordsPorts, recordsRoutes } from "./routes/records.ts";
export {
  type Search,
  type SearchAnswer,
  type SearchBatchAnswer,
  type SearchFailure,
  type SearchHit,
  type SearchPorts,
  searchFailureOf,
  searchRoutes,
} from "./routes/search.ts";
export { parseBatchedQuery } from "./routes/search-query.ts";
export { statusRoutes } from "./routes/status.ts";
export { type ForgottenAnswer, type UsersPorts, usersRoutes } from "./routes/users.ts";
export {
  type HttpServer,
  type HttpServerOptions,
  type Route,
  type Routes,
  startHttpServer,
} from "./server.ts";
