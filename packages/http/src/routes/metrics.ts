import { type Backlog, type Channel, type Lane, stages } from "@medley/core";
import type { PipelineCounters } from "@medley/pipeline";
import type { Routes } from "../server.ts";

export interface MetricsPorts {
  readonly counters: PipelineCounters;
  readonly readBacklog: () => Promise<readonly ChannelBacklog[]>;
}

interface ChannelBacklog extends Backlog {
  readonly lane: Lane;
  readonly channel: Channel;
  readonly unit: "packets" | "records";
}

/** `GET /metrics`: counters and backlog in the Prometheus text format 0.0.4. */
export function metricsRoutes({ counters, readBacklog }: MetricsPorts): Routes {
  return (app) => {
    app.get("/metrics", async (_request, reply) => {
      // The counters stay visible while the queue is away; the missing gauges tell of it.
      const backlog = await readBacklog().catch(() => []);
      return reply.type("text/plain; version=0.0.4; charset=utf-8").send(metricsText(counters, backlog));
    });
  };
}

export function metricsText(
  { stages: byStage, segments }: PipelineCounters,
  backlog: readonly ChannelBacklog[],
): string {
  const records = stages.flatMap((stage) => {
    const { received, sent, deadLetters, superseded } = byStage[stage];
    const outcomes = { received, sent, dead_letter: deadLetters, superseded };
    return Object.entries(outcomes).map(
      ([outcome, count]) => [`stage="${stage}",outcome="${outcome}"`, count] as const,
    );
  });
  const kinds = {
    encoded_by_model: segments.encodedByModel,
    encoded_closed_form: segments.encoded - segments.encodedByModel,
    reused: segments.reused,
    empty: segments.empty,
  };
  const backlogs = backlog.flatMap(({ lane, channel, unit, waiting, inFlight }) => {
    const where = `lane="${lane}",channel="${channel}",unit="${unit}"`;
    return [
      [`${where},state="waiting"`, waiting] as const,
      [`${where},state="in_flight"`, inFlight] as const,
    ];
  });
  return [
    ...family("medley_records_total", "counter", "Records by stage and what became of them.", records),
    ...family(
      "medley_segments_total",
      "counter",
      "Segments by how they came to be.",
      Object.entries(kinds).map(([kind, count]) => [`kind="${kind}"`, count] as const),
    ),
    ...family("medley_backlog", "gauge", "Packets in a queue, or records in a log.", backlogs),
    "",
  ].join("\n");
}

function family(
  name: string,
  type: "counter" | "gauge",
  help: string,
  samples: readonly (readonly [labels: string, value: number])[],
): readonly string[] {
  if (samples.length === 0) return [];
  const lines = samples.map(([labels, value]) => `${name}{${labels}} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}
