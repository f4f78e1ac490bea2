import type { Routes } from "../server.ts";

export interface MetricsPorts {
  /** In the Prometheus text format 0.0.4. Does not reject: what can't be asked just now is left out. */
  readonly renderMetrics: () => Promise<string>;
}

/** `GET /metrics`: what Prometheus scrapes. */
export function metricsRoutes({ renderMetrics }: MetricsPorts): Routes {
  return (app) => {
    app.get("/metrics", { config: { scope: "operate" } }, async (_request, reply) =>
      reply.type("text/plain; version=0.0.4; charset=utf-8").send(await renderMetrics()),
    );
  };
}
