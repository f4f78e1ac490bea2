import { type Backlog, type Channel, channels, type Lane, lanes as laneNames } from "@medley/core";
import type { Deployment } from "./deployment.ts";

/** What waits in a channel of a lane. Where one transport serves both lanes it is listed once, under the stream's. */
export interface ChannelBacklog extends Backlog {
  readonly lane: Lane;
  readonly channel: Channel;
  readonly unit: "packets" | "records";
}

export async function readBacklogs({ lanes }: Pick<Deployment, "lanes">): Promise<readonly ChannelBacklog[]> {
  const distinct = laneNames.filter((lane) => lane === "stream" || lanes.backfill !== lanes.stream);
  const asked = distinct.flatMap((lane) => channels.map((channel) => ({ lane, channel })));
  return Promise.all(
    asked.map(async ({ lane, channel }) => {
      const { unit } = lanes[lane];
      return { lane, channel, unit, ...(await lanes[lane].backlog(channel)) };
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
