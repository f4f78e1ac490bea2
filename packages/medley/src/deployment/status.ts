import { channels } from "@medley/core";
import type { Deployment } from "./deployment.ts";

/** What a deployment holds and what it still has to do; `GET /v1/status` answers the same. */
export async function readStatus({ store, transport, database }: Deployment) {
  const backlog: Record<string, { waiting: number; inFlight: number }> = {};
  for (const channel of channels) backlog[channel] = await transport.backlog(channel);
  const runs = [];
  for (const run of await store.listRuns()) {
    const progress = await store.readRunProgress(run.runId);
    const { runId, collection, source, state, chunksSent, recordsRead, startedAtMs } = run;
    runs.push({ runId, collection, source, state, chunksSent, recordsRead, startedAtMs, ...progress });
  }
  return { database: database.kind, collections: await store.collectionStatus(), backlog, runs };
}
