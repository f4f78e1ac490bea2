import { Histogram } from "@medley/pipeline";
import { expect, test } from "vitest";
import { lineOf, screenOf } from "../cli/top-screen.ts";
import { renderFamilies } from "../observability/prometheus-text.ts";
import { parseServiceMetrics } from "./service-metrics.ts";
import { trendOf } from "./trend.ts";
import type { Sight } from "./watch.ts";

function metricsOf(indexed: number, fresh: readonly number[]) {
  const seconds = new Histogram([1, 10]);
  for (const value of fresh) seconds.observe(value);
  const records = [
    { labels: { stage: "produce", outcome: "received" }, value: 2 * indexed },
    { labels: { stage: "embed", outcome: "received" }, value: indexed },
    { labels: { stage: "embed", outcome: "sent" }, value: 9_999 },
    { labels: { stage: "index", outcome: "indexed" }, value: indexed },
    { labels: { stage: "index", outcome: "received" }, value: 9_999 },
  ];
  const text = renderFamilies([
    { name: "medley_info", type: "gauge", help: "-", samples: [{ labels: { role: "indexer" }, value: 1 }] },
    { name: "medley_records_total", type: "counter", help: "-", samples: records },
    {
      ...{ name: "medley_freshness_seconds", type: "histogram", help: "-" },
      samples: ["stream", "backfill"].map((lane) => ({ labels: { lane }, value: seconds })),
    },
  ]);
  return parseServiceMetrics(text);
}

function sight(atMs: number, rest: Partial<Sight> & { settled?: number; written?: number }): Sight {
  const { settled = 0, written = 0, ...others } = rest;
  const outcomes = { indexed: settled, tombstoned: 0, superseded: 0, deadLetters: 0, chunksDone: 1 };
  const run = { runId: "run-1", collection: "films", source: "films.csv", state: "running" as const };
  return {
    ...{ atMs, services: [], faults: [] },
    figures: {
      collections: [{ collection: "films", rowsEstimated: written, rowsWritten: written }],
      deadLettersOpen: [
        { collection: "films", code: "encoder_failed", deadLetters: 2 },
        { collection: "films", code: "record_invalid", deadLetters: 1 },
      ],
      backfills: [{ collection: "films", recordsUnsettled: 1_000 - settled }],
      runs: [{ ...run, ...outcomes, chunksSent: 10, recordsRead: 1_000, startedAtMs: 0 }],
    },
    backlogs: [
      {
        lane: "stream",
        channel: "records",
        unit: "packets",
        waiting: settled,
        inFlight: 1,
        oldestAgeMs: 90_000,
      },
    ],
    ...others,
  };
}

test("rates are those between two looks; the first has none but a run's own", () => {
  const first = sight(100_000, { settled: 100, written: 100 });
  const second = sight(102_000, { settled: 300, written: 400 });
  expect(trendOf(null, first)).toMatchObject({
    intervalSeconds: null,
    lanes: [{ growthPerSecond: null }],
    collections: [{ writesPerSecond: null, deadLettersOpen: 3, backfillRecordsUnsettled: 900 }],
    runs: [{ recordsPerSecond: 1, secondsLeft: 900 }],
  });
  expect(trendOf(first, second)).toMatchObject({
    intervalSeconds: 2,
    lanes: [{ growthPerSecond: 100 }],
    collections: [{ writesPerSecond: 150 }],
    deadLetters: [
      { code: "encoder_failed", deadLetters: 2 },
      { code: "record_invalid", deadLetters: 1 },
    ],
    runs: [{ recordsPerSecond: 100, secondsLeft: 7 }],
  });
});

test("a service's rates and freshness are of the interval, also over its restart", () => {
  const url = "http://127.0.0.1:7400";
  const look = (atMs: number, indexed: number, fresh: readonly number[]) =>
    sight(atMs, { services: [{ url, metrics: metricsOf(indexed, fresh) }] });
  const [first, second, restarted] = [
    look(0, 100, [20, 20]),
    look(1_000, 150, [20, 20, 0.5, 0.5]),
    look(2_000, 30, [0.5]),
  ] as const;
  expect(trendOf(first, second).services).toEqual([
    {
      ...{ url, role: "indexer", recordsPerSecond: { produce: 100, embed: 50, index: 50 } },
      freshnessSeconds: { p50: 0.5, p95: 0.95 },
    },
  ]);
  expect(trendOf(second, restarted).services[0]?.recordsPerSecond.index).toBe(30);
});

test("what is no Medley's metrics is none; what is away is told and the rest goes on", () => {
  expect(parseServiceMetrics("up 1\nprocess_cpu_seconds_total 3\n")).toBeNull();
  const services = [{ url: "http://127.0.0.1:1", metrics: null }];
  const faults = [{ part: "store", code: "store_unavailable" }];
  const trend = trendOf(null, sight(0, { figures: null, services, faults }));
  expect(trend).toMatchObject({ collections: [], runs: [], faults, services: [{ role: null }] });
  expect(screenOf(trend)).toContain("! store: store_unavailable");
  expect(lineOf(trend)).toContain("127.0.0.1:1 away");
});

test("the screen shows lanes, collections, services, dead letters and runs with bars", () => {
  const url = "http://indexer:7400";
  const at = (atMs: number, indexed: number) =>
    sight(atMs, { settled: indexed, written: indexed, services: [{ url, metrics: metricsOf(indexed, []) }] });
  const screen = screenOf(trendOf(at(0, 0), at(1_000, 500)));
  expect(screen.split("\n")).toEqual([
    "medley top  00:00:01Z  q quits",
    "",
    "lane    channel  waiting  in flight  counted in  oldest      growth/s",
    "stream  records      500          1  packets     1 min 30 s  +500",
    "",
    "collection  rows (about)  writes/s  backfill to do  dead letters",
    "films                500  500                  500             3",
    "",
    "service       role     produced/s  embedded/s  indexed/s  fresh p50  fresh p95",
    "indexer:7400  indexer  1,000       500         500        -          -",
    "",
    "dead letters: encoder_failed 2, record_invalid 1",
    "",
    "run-1  films  [############------------]  500/1,000 read  500 records/s  1 s left of what was read",
  ]);
});
