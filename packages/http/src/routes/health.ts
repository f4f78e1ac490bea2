import { type ErrorCode, MedleyError } from "@medley/core";
import type { Routes } from "../server.ts";

/** Rejects where a dependency does not serve. */
export type ReadinessCheck = (signal: AbortSignal) => Promise<void>;

export interface ReadinessAnswer {
  readonly ready: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly ms: number;
    readonly code?: ErrorCode | "internal" | "timed_out";
  }[];
}

const checkMsMax = 2_000;

/**
 * `GET /livez`: this process serves; never asks a dependency, since restarting this process mends none.
 * `GET /readyz`: a `ReadinessAnswer`; 503 where a check fails or takes over two seconds. Both without a token.
 */
export function healthRoutes({
  checks,
}: {
  readonly checks: Readonly<Record<string, ReadinessCheck>>;
}): Routes {
  return (app) => {
    app.get("/livez", { config: { scope: "open" } }, async () => ({ live: true }));
    app.get("/readyz", { config: { scope: "open" } }, async (_request, reply) => {
      const results = await Promise.all(Object.entries(checks).map(([name, check]) => run(name, check)));
      const ready = results.every((result) => result.ok);
      return reply.code(ready ? 200 : 503).send({ ready, checks: results } satisfies ReadinessAnswer);
    });
  };
}

async function run(name: string, check: ReadinessCheck): Promise<ReadinessAnswer["checks"][number]> {
  const startMs = performance.now();
  const ms = () => Math.round(performance.now() - startMs);
  const late = AbortSignal.timeout(checkMsMax);
  const { promise: lateness, reject } = Promise.withResolvers<never>();
  late.addEventListener("abort", () => reject(late.reason));
  try {
    await Promise.race([check(late), lateness]);
    return { name, ok: true, ms: ms() };
  } catch (error) {
    const code = late.aborted ? "timed_out" : error instanceof MedleyError ? error.code : "internal";
    return { name, ok: false, ms: ms(), code };
  }
}
