import { quantileOf, settledOf } from "@medley/pipeline";
import type { ChannelBacklog, RunStatus } from "../deployment/status.ts";
import { runStatus } from "../deployment/status.ts";
import type { ServiceMetrics } from "./service-metrics.ts";
import type { Sight } from "./watch.ts";

/** What changed between two looks: one object of `medley top --json`. Null where it can't be known. */
export interface Trend {
  readonly at: string;
  /** Since the look before; null for the first. */
  readonly intervalSeconds: number | null;
  readonly lanes: readonly (ChannelBacklog & {
    /** Above 0: it grows. */
    readonly growthPerSecond: number | null;
  })[];
  readonly collections: readonly {
    readonly collection: string;
    readonly rowsEstimated: number;
    readonly writesPerSecond: number | null;
    readonly deadLettersOpen: number;
    readonly backfillRecordsUnsettled: number;
  }[];
  readonly deadLetters: readonly { readonly code: string; readonly deadLetters: number }[];
  /** `recordsPerSecond` is that of the interval. */
  readonly runs: readonly RunStatus[];
  readonly services: readonly ServiceTrend[];
  readonly faults: Sight["faults"];
}

export interface ServiceTrend {
  readonly url: string;
  /** Null while it does not answer. */
  readonly role: string | null;
  readonly recordsPerSecond: {
    readonly produce: number | null;
    readonly embed: number | null;
    readonly index: number | null;
  };
  /** Of what was indexed in the interval. */
  readonly freshnessSeconds: { readonly p50: number | null; readonly p95: number | null };
}

export function trendOf(before: Sight | null, now: Sight): Trend {
  const seconds = before === null ? null : (now.atMs - before.atMs) / 1000;
  const rate = (then: number | undefined, value: number) =>
    seconds === null || seconds <= 0 || then === undefined ? null : (value - then) / seconds;
  const { figures } = now;
  return {
    at: new Date(now.atMs).toISOString(),
    intervalSeconds: seconds,
    lanes: (now.backlogs ?? []).map((backlog) => {
      const then = before?.backlogs?.find(
        ({ lane, channel }) => lane === backlog.lane && channel === backlog.channel,
      );
      return {
        ...backlog,
        growthPerSecond: rate(then && then.waiting + then.inFlight, backlog.waiting + backlog.inFlight),
      };
    }),
    collections: (figures?.collections ?? []).map(({ collection, rowsEstimated, rowsWritten }) => {
      const then = before?.figures?.collections.find((one) => one.collection === collection);
      const letters = figures?.deadLettersOpen.filter((one) => one.collection === collection) ?? [];
      const backfill = figures?.backfills.find((one) => one.collection === collection);
      return {
        collection,
        rowsEstimated,
        writesPerSecond: rate(then?.rowsWritten, rowsWritten),
        deadLettersOpen: letters.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
        backfillRecordsUnsettled: backfill?.recordsUnsettled ?? 0,
      };
    }),
    deadLetters: deadLettersByCode(now),
    runs: runsOf(before, now, rate),
    services: now.services.map(({ url, metrics }) =>
      serviceTrend(url, before?.services.find((one) => one.url === url)?.metrics ?? null, metrics, rate),
    ),
    faults: now.faults,
  };
}

type Rate = (then: number | undefined, value: number) => number | null;

function deadLettersByCode({ figures }: Sight): Trend["deadLetters"] {
  const byCode = new Map<string, number>();
  for (const { code, deadLetters } of figures?.deadLettersOpen ?? []) {
    byCode.set(code, (byCode.get(code) ?? 0) + deadLetters);
  }
  return [...byCode].map(([code, deadLetters]) => ({ code, deadLetters }));
}

function runsOf(before: Sight | null, now: Sight, rate: Rate): readonly RunStatus[] {
  return (now.figures?.runs ?? []).map((run) => {
    const then = before?.figures?.runs.find(({ runId }) => runId === run.runId);
    return runStatus(run, now.atMs, rate(then && settledOf(then), settledOf(run)));
  });
}

/** A process that was started anew counts from 0 again: then its own count is what there is. */
function serviceTrend(
  url: string,
  before: ServiceMetrics | null,
  now: ServiceMetrics | null,
  rate: Rate,
): ServiceTrend {
  const stage = (name: "produce" | "embed" | "index") => {
    if (now === null) return null;
    const then = before?.records[name];
    return rate(then !== undefined && then > now.records[name] ? 0 : then, now.records[name]);
  };
  const bounds = (now?.freshness ?? []).map(({ bound }) => bound).filter(Number.isFinite);
  const since = (now?.freshness ?? []).map(({ count }, at) =>
    Math.max(count - (before?.freshness[at]?.count ?? count), 0),
  );
  // Prometheus' buckets are cumulative.
  const counts = since.map((count, at) => count - (since[at - 1] ?? 0));
  return {
    url,
    role: now?.role ?? null,
    recordsPerSecond: { produce: stage("produce"), embed: stage("embed"), index: stage("index") },
    freshnessSeconds: { p50: quantileOf(bounds, counts, 0.5), p95: quantileOf(bounds, counts, 0.95) },
  };
}
