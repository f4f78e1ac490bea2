import {
  type Clock,
  type Delivery,
  eventOfEnvelope,
  firstGeneration,
  isEvent,
  type Store,
  systemClock,
  type VectorEnvelope,
  type WriteOutcome,
} from "@medley/core";
import { bisect, type Isolated } from "./bisect.ts";
import { addOutcomes, countFailures, noOutcomes, type PipelineCounters } from "./counters.ts";
import { deadLetterOf } from "./dead-letters.ts";
import type { Histogram } from "./histogram.ts";
import { newestOf } from "./newest.ts";
import { asStage, laneOf } from "./stage.ts";

export interface IndexPorts {
  readonly store: Pick<Store, "writeRows" | "writeEvents" | "addDeadLetters">;
  readonly counters: PipelineCounters;
  /** Freshness is measured by it. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * The stage `index`: keeps events, writes rows guarded by version, and marks the chunk as done in the same transaction as these. Where the
 * store refuses a row for what it holds, the batch is halved until that row stands alone as a dead letter; then the
 * chunk is marked by itself. Resolves when all is durable; running it again has no second effect (promises P1-P3, P6).
 */
export function indexRows(
  ports: IndexPorts,
  delivery: Delivery<"vectors">,
  signal: AbortSignal,
): Promise<void> {
  return asStage(ports.counters, { stage: "index", ...delivery }, () => indexPacket(ports, delivery, signal));
}

async function indexPacket(
  ports: IndexPorts,
  delivery: Delivery<"vectors">,
  signal: AbortSignal,
): Promise<void> {
  const { collection, chunk } = delivery.packet;
  const counters = ports.counters.stages.index;
  counters.received += delivery.packet.envelopes.length;
  const { clock = systemClock } = ports;
  const freshness = ports.counters.freshnessSeconds[laneOf(delivery.packet)];
  // A log may deliver several versions of a record together, and a statement writes a row once.
  const events = delivery.packet.envelopes.filter(isEvent);
  const records = delivery.packet.envelopes.filter((envelope) => !isEvent(envelope));
  const envelopes = newestOf(records, new Map());
  let outcomes = addOutcomes(noOutcomes, { superseded: records.length - envelopes.length });
  const keepLetters = async (failed: readonly Isolated<VectorEnvelope>[]) => {
    if (failed.length === 0) return;
    signal.throwIfAborted();
    const where = {
      collection,
      stage: "index" as const,
      runId: chunk?.runId ?? null,
      attempt: delivery.attempt,
    };
    const letters = failed.map(({ item, error }) => deadLetterOf(item, where, error));
    await ports.store.addDeadLetters(letters);
    countFailures(counters, letters);
    outcomes = addOutcomes(outcomes, { deadLetters: failed.length });
  };
  // Before the rows, whose statement marks the chunk.
  const failedEvents = await bisect(events, async (part) => {
    signal.throwIfAborted();
    const written = await ports.store.writeEvents(collection, part.map(eventOfEnvelope));
    outcomes = addOutcomes(outcomes, countOf(written));
    observeFreshness(freshness, part, { written, nowMs: clock.nowMs() });
  });
  await keepLetters(failedEvents);
  const write = async (part: readonly VectorEnvelope[]) => {
    signal.throwIfAborted();
    const isWhole = part.length === envelopes.length;
    const ref =
      isWhole && chunk !== null ? { ...chunk, settled: addOutcomes(chunk.settled, outcomes) } : null;
    const written = await ports.store.writeRows(collection, part, ref);
    outcomes = addOutcomes(outcomes, countOf(written));
    observeFreshness(freshness, part, { written, nowMs: clock.nowMs() });
  };
  // A packet of a log may hold vectors of several.
  const generations = Map.groupBy(envelopes, ({ generation = firstGeneration }) => generation);
  const failed: Isolated<VectorEnvelope>[] = [];
  for (const part of generations.values()) failed.push(...(await bisect(part, write)));
  await keepLetters(failed);
  signal.throwIfAborted();
  if (chunk !== null && (failed.length > 0 || envelopes.length === 0 || generations.size > 1)) {
    await ports.store.writeRows(collection, [], { ...chunk, settled: addOutcomes(chunk.settled, outcomes) });
  }
  counters.deadLetters += outcomes.deadLetters;
  counters.superseded += outcomes.superseded;
  counters.indexed += outcomes.indexed;
  counters.tombstoned += outcomes.tombstoned;
}

function countOf(outcomes: readonly WriteOutcome[]): Record<WriteOutcome, number> {
  const counts = { indexed: 0, tombstoned: 0, superseded: 0 };
  for (const outcome of outcomes) counts[outcome] += 1;
  return counts;
}

/** Clocks of several machines differ a little: what seems to be indexed before it came counts as 0. */
function observeFreshness(
  freshness: Histogram,
  envelopes: readonly VectorEnvelope[],
  { written, nowMs }: { written: readonly WriteOutcome[]; nowMs: number },
): void {
  for (const [at, { acceptedAtMs }] of envelopes.entries()) {
    if (acceptedAtMs === undefined || written[at] === "superseded") continue;
    freshness.observe(Math.max(nowMs - acceptedAtMs, 0) / 1000);
  }
}
