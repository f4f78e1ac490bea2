import type { Lane, Packet, Stage } from "@medley/core";
import { type Span, SpanKind } from "@opentelemetry/api";
import type { PipelineCounters } from "./counters.ts";
import { inSpan, originsOf } from "./tracing.ts";

export interface StageWork {
  readonly stage: Stage;
  readonly packet: Packet;
  readonly attempt: number;
}

/** The half of the stage `produce` that handles packets has a name of its own in traces. */
const spanNames = { produce: "send", embed: "embed", index: "index" } as const;

/** The lane a packet travels by: chunks take the backfill's, and nothing else does. */
export function laneOf({ chunk }: Pick<Packet, "chunk">): Lane {
  return chunk === null ? "stream" : "backfill";
}

/** What every stage does alike with a packet, so that none counts, measures or traces in its own way. */
export async function asStage<Value>(
  counters: PipelineCounters,
  { stage, packet, attempt }: StageWork,
  run: (span: Span) => Promise<Value>,
): Promise<Value> {
  const lane = laneOf(packet);
  const packets = counters.packets[stage][lane];
  const startedMs = performance.now();
  packets.records.observe(packet.envelopes.length);
  const span = {
    kind: stage === "produce" ? SpanKind.PRODUCER : SpanKind.CONSUMER,
    origins: originsOf(packet.envelopes),
    attributes: {
      "medley.collection": packet.collection,
      "medley.lane": lane,
      "medley.records": packet.envelopes.length,
      "medley.attempt": attempt,
    },
  };
  try {
    const value = await inSpan(spanNames[stage], span, run);
    packets.seconds.observe((performance.now() - startedMs) / 1000);
    return value;
  } catch (error) {
    packets.failed += 1;
    throw error;
  }
}
