import {
  type Backlog,
  type Channel,
  channels,
  type Lane,
  type Lanes,
  lanes as laneNames,
} from "@medley/core";
import { type Histogram, settledOf } from "@medley/pipeline";
import type { RunFigures } from "@medley/store";
import type { Deployment } from "./deployment.ts";

/** What waits in a channel of a lane. Where one transport serves both lanes it is listed once, under the stream's. */
export interface ChannelBacklog extends Backlog {
  readonly lane: Lane;
  readonly channel: Channel;
  readonly unit: "packets" | "records";
  /** Of the oldest that is not acknowledged; null where this process can't know it. */
  readonly oldestAgeMs: number | null;
}

export async function readBacklogs(lanes: Lanes): Promise<readonly ChannelBacklog[]> {
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

/** A run and how fast it goes. */
export interface RunStatus extends RunFigures {
  /** Since it was started, pauses included, or of late. */
  readonly recordsPerSecond: number;
  /** Until what was read so far is done; null for a run that is done or at rest. */
  readonly secondsLeft: number | null;
}

/** `ratePerSecond`: as it was measured of late; else it is that since the start. */
export function runStatus(run: RunFigures, nowMs: number, ratePerSecond: number | null = null): RunStatus {
  const settled = settledOf(run);
  const seconds = Math.max((nowMs - run.startedAtMs) / 1000, 0.001);
  const left = Math.max(run.recordsRead - settled, 0);
  const recordsPerSecond = ratePerSecond ?? settled / seconds;
  const runs = run.state === "running" && left > 0 && recordsPerSecond > 0;
  return { ...run, recordsPerSecond, secondsLeft: runs ? left / recordsPerSecond : null };
}

/** What a deployment holds and what it still has to do; `GET /v1/status` answers the same. */
export async function readStatus(deployment: Deployment) {
  const { store, database, clock, lanes, counters } = deployment;
  const { deadLettersOpen, backfills, runs } = await store.readFigures();
  return {
    database: database.kind,
    collections: await store.collectionStatus(),
    backlog: await readBacklogs(lanes),
    backfills,
    deadLetters: deadLettersOpen,
    runs: runs.map((run) => runStatus(run, clock.nowMs())),
    /** Of the answering process alone, since it started: what other indexers did is theirs to say. */
    freshness: {
      stream: freshnessOf(counters.freshnessSeconds.stream),
      backfill: freshnessOf(counters.freshnessSeconds.backfill),
    },
  };
}

export type Status = Awaited<ReturnType<typeof readStatus>>;

function freshnessOf(seconds: Histogram) {
  return { records: seconds.count, p50Seconds: seconds.quantile(0.5), p95Seconds: seconds.quantile(0.95) };
}
