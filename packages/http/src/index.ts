export { requestRecordsMax } from "./body/record-items.ts";
export { healthRoutes, type ReadinessAnswer, type ReadinessCheck } from "./routes/health.ts";
export { type MetricsPorts, metricsRoutes } from "./routes/metrics.ts";
export { type RecordsAnswer, recordsRoutes } from "./routes/records.ts";
export {
  type Search,
  type SearchAnswer,
  type SearchHit,
  type SearchPorts,
  searchRoutes,
} from "./routes/search.ts";
export { hitsMax } from "./routes/search-query.ts";
export { statusRoutes } from "./routes/status.ts";
export { type HttpServer, type HttpServerOptions, type Routes, startHttpServer } from "./server.ts";
