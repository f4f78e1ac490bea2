import type { Routes } from "../server.ts";

/** `GET /v1/status`: what `readStatus` gives, as JSON. */
export function statusRoutes({ readStatus }: { readonly readStatus: () => Promise<unknown> }): Routes {
  return (app) => {
    app.get("/v1/status", { config: { scope: "operate" } }, async (_request, reply) =>
      reply.send(await readStatus()),
    );
  };
}
