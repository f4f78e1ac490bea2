import { type Backlog, type Channel, channels, type Lane, lanes as laneNames } from "@medley/core";
import type { Deployment } from "./deployment.ts";

/** What waits in a channel of a lane. Where one transport serves both lanes it is listed once, under the stream's. */
export interface ChannelBacklog extends Backlog {
  readonly lane: Lane;
  readonly channel: Channel;
  readonly unit: "packets" | "records";
  /** Of the oldest that is not acknowledged; null where this process can't know it. */
  readonly oldestAgeMs: number | null;
}

export async function readBacklogs({ lanes }: Pick<Deployment, "lanes">): Promise<readonly ChannelBacklog[]> {
  const distinct = laneNames.filter((lane) => lane === "stream" || lanes.backfill !== lanes.stream);
  const asked = distinct.flatMap((lane) => channels.map((channel) => ({ lane, channel })));
  return Promise.all(
    asked.map(async ({ lane, channel }) => {
      const transport = lanes[lane];
      const [backlog, oldestAgeMs] = await Promise.all([
        transport.backlog(channel),
        transport.oldestAgeMs(channel),
      ]);
      return { lane, channel, unit: transport.unit, ...backlog, oldestAgeMs };
    }),
  );
}

/** What a deployment holds and what it still has to do; `GET /v1/status` answers the same. */
export async function readStatus(deployment: Deployment) {
  const { store, database } = deployment;
  const runs = [];
  for (const run of await store.listRuns()) {
    const progress = await store.readRunProgress(run.runId);
    const { runId, collection, source, state, chunksSent, recordsRead, startedAtMs } = run;
    runs.push({ runId, collection, source, state, chunksSent, recordsRead, startedAtMs, ...progress });
  }
  return {
    database: database.kind,
    collections: await store.collectionStatus(),
    backlog: await readBacklogs(deployment),
    runs,
  };
}
