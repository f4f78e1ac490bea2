import { lanes, stages } from "@medley/core";
import type { RequestCounters } from "@medley/http";
import type { StageCounters } from "@medley/pipeline";
import { collectDefaultMetrics, Registry } from "prom-client";
import type { Deployment } from "../deployment/deployment.ts";
import { readBacklogs } from "../deployment/status.ts";
import { type Family, renderFamilies, type Sample } from "./prometheus-text.ts";
import { SharedReading } from "./shared-reading.ts";

export interface MetricsOptions {
  readonly deployment: Deployment;
  readonly role: string;
  readonly requests: RequestCounters;
}

// Prometheus waits ten seconds for a scrape.
const readingMsMax = 3_000;

/**
 * What `GET /metrics` answers. Counters of this process are always there; what has to be asked of the store and of the lanes
 * is left out while they are away. Labels are names from the configuration, stages, codes and routes, so there are only so
 * many series.
 */
export function metricsOf({ deployment, role, requests }: MetricsOptions): () => Promise<string> {
  const backlogs = new SharedReading(() => readBacklogs(deployment.lanes), { waitMsMax: readingMsMax });
  const figures = new SharedReading(() => deployment.store.readFigures(), { waitMsMax: readingMsMax });
  return async () => {
    const [lag, stored, ofProcess] = await Promise.all([
      backlogs.get(),
      figures.get(),
      processMetrics().metrics(),
    ]);
    const families = [
      gauge("medley_info", "Always 1; says what this process is.", [{ labels: { role }, value: 1 }]),
      ...stageFamilies(deployment),
      ...lagFamilies(lag ?? []),
      ...storeFamilies(deployment, stored),
      ...modelFamilies(deployment),
      ...httpFamilies(requests),
    ];
    return `${renderFamilies(families)}${ofProcess}`;
  };
}

let ofThisProcess: Registry | null = null;

/** Memory, CPU, event loop and garbage collection: of the process, whose observers are never closed, so there is one of it. */
function processMetrics(): Registry {
  if (ofThisProcess === null) {
    ofThisProcess = new Registry();
    collectDefaultMetrics({ register: ofThisProcess });
  }
  return ofThisProcess;
}

/** Which of the counts are an outcome at which stage. */
const outcomes = {
  produce: { received: "received", rejected: "rejected", sent: "sent" },
  embed: { received: "received", sent: "sent", superseded: "superseded", dead_letter: "deadLetters" },
  index: {
    ...{ received: "received", indexed: "indexed", tombstoned: "tombstoned" },
    ...{ superseded: "superseded", dead_letter: "deadLetters" },
  },
} as const satisfies Record<
  (typeof stages)[number],
  Record<string, Exclude<keyof StageCounters, "failedByCode">>
>;

function stageFamilies({ counters, faults }: Deployment): readonly Family[] {
  const records = stages.flatMap((stage) =>
    Object.entries(outcomes[stage]).map(([outcome, key]) => ({
      labels: { stage, outcome },
      value: counters.stages[stage][key],
    })),
  );
  const failed = stages.flatMap((stage) =>
    [...counters.stages[stage].failedByCode].map(([code, value]) => ({ labels: { stage, code }, value })),
  );
  const perLane = (
    value: (stage: (typeof stages)[number], lane: (typeof lanes)[number]) => Sample["value"],
  ) =>
    stages.flatMap((stage) => lanes.map((lane) => ({ labels: { stage, lane }, value: value(stage, lane) })));
  const { encoded, encodedByModel, reused, empty } = counters.segments;
  const { written, unchanged, failed: refreshesFailed, changes, cut } = counters.refreshes;
  const segments = { model: encodedByModel, closed_form: encoded - encodedByModel, reused, empty };
  return [
    counter("medley_records_total", "Records by stage and what became of them there.", records),
    counter("medley_failed_records_total", "Records rejected or made dead letters, by error code.", failed),
    histogram(
      "medley_stage_seconds",
      "From receiving a packet until its effects are durable.",
      perLane((stage, lane) => counters.packets[stage][lane].seconds),
    ),
    histogram(
      "medley_packet_records",
      "Records per packet.",
      perLane((stage, lane) => counters.packets[stage][lane].records),
    ),
    counter(
      "medley_packets_failed_total",
      "Packets that failed and come again.",
      perLane((stage, lane) => counters.packets[stage][lane].failed),
    ),
    histogram(
      "medley_freshness_seconds",
      "From a record's acceptance until it was indexed.",
      lanes.map((lane) => ({ labels: { lane }, value: counters.freshnessSeconds[lane] })),
    ),
    counter("medley_segments_total", "Segments by how they came to be.", byLabel("kind", segments)),
    counter(
      "medley_refreshes_total",
      "Rows looked at anew as their neighbours in a graph changed; failed ones are segments.",
      byLabel("outcome", { written, unchanged, failed: refreshesFailed }),
    ),
    counter(
      "medley_graph_changes_total",
      "Changes of rows that others in a graph hear of; of cut ones not all did, as there are too many.",
      byLabel("reach", { whole: changes - cut, cut }),
    ),
    counter("medley_faults_total", "Faults of queue and engine that were got over.", byLabel("part", faults)),
  ];
}

function lagFamilies(backlogs: Awaited<ReturnType<typeof readBacklogs>>): readonly Family[] {
  const backlog = backlogs.flatMap(({ lane, channel, unit, waiting, inFlight }) => [
    { labels: { lane, channel, unit, state: "waiting" }, value: waiting },
    { labels: { lane, channel, unit, state: "in_flight" }, value: inFlight },
  ]);
  const lag = backlogs.flatMap(({ lane, channel, oldestAgeMs }) =>
    oldestAgeMs === null ? [] : [{ labels: { lane, channel }, value: oldestAgeMs / 1000 }],
  );
  return [
    gauge("medley_backlog", "Packets in a queue, or records in a log, not yet acknowledged.", backlog),
    gauge("medley_lag_seconds", "Age of the oldest that is not yet acknowledged.", lag),
  ];
}

function storeFamilies(
  { pool, collections }: Deployment,
  figures: Awaited<ReturnType<Deployment["store"]["readFigures"]>> | null,
): readonly Family[] {
  const names = figures === null ? [] : [...collections.keys()];
  const letters = names.map((collection) => ({
    labels: { collection },
    value: (figures?.deadLettersOpen ?? [])
      .filter((open) => open.collection === collection)
      .reduce((sum, open) => sum + open.deadLetters, 0),
  }));
  const unsettled = names.map((collection) => ({
    labels: { collection },
    value: figures?.backfills.find((backfill) => backfill.collection === collection)?.recordsUnsettled ?? 0,
  }));
  const connections = { idle: pool.idleCount, busy: pool.totalCount - pool.idleCount };
  return [
    gauge("medley_dead_letters_open", "Dead letters not replayed.", letters),
    gauge(
      "medley_backfill_records_unsettled",
      "Records read by unfinished backfills and not done.",
      unsettled,
    ),
    gauge("medley_store_connections", "Connections to Postgres.", byLabel("state", connections)),
    gauge("medley_store_waiters", "Callers that wait for a connection.", [
      { labels: {}, value: pool.waitingCount },
    ]),
  ];
}

function modelFamilies({ runtime }: Deployment): readonly Family[] {
  const { modelCalls, inputs, inputsTried, usefulValues, paddedValues } = runtime.counters;
  const values = { useful: usefulValues, padding: paddedValues - usefulValues };
  return [
    counter("medley_model_calls_total", "Batches and single queries run by a model.", [
      { labels: {}, value: modelCalls },
    ]),
    counter(
      "medley_model_inputs_total",
      "Inputs run by a model; tried ones include those of batches that failed.",
      [
        { labels: { state: "done" }, value: inputs },
        { labels: { state: "tried" }, value: inputsTried },
      ],
    ),
    counter(
      "medley_model_values_total",
      "What batches held: useful / all is their fill.",
      byLabel("kind", values),
    ),
    gauge("medley_model_threads", "Session threads.", [{ labels: {}, value: runtime.threads }]),
  ];
}

function httpFamilies(requests: RequestCounters): readonly Family[] {
  const counts = requests.counts.map(({ method, route, status, requests: value }) => ({
    labels: { method, route, status },
    value,
  }));
  const seconds = [...requests.seconds].map(([route, value]) => ({ labels: { route }, value }));
  return [
    counter("medley_http_requests_total", "Requests answered, by route and status.", counts),
    histogram("medley_http_request_seconds", "From a request's arrival to its answer.", seconds),
  ];
}

function byLabel(label: string, values: Readonly<Record<string, number>>): readonly Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "counter", help, samples };
}
function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}
function histogram(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "histogram", help, samples };
}
