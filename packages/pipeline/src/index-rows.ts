import {
  type Clock,
  type Delivery,
  type Store,
  systemClock,
  type VectorEnvelope,
  type WriteOutcome,
} from "@medley/core";
import { bisect } from "./bisect.ts";
import { addOutcomes, countFailures, noOutcomes, type PipelineCounters } from "./counters.ts";
import { deadLetterOf } from "./dead-letters.ts";
import type { Histogram } from "./histogram.ts";
import { newestOf } from "./newest.ts";
import { asStage, laneOf } from "./stage.ts";

export interface IndexPorts {
  readonly store: Pick<Store, "writeRows" | "addDeadLetters">;
  readonly counters: PipelineCounters;
  /** Freshness is measured by it. Default: the system's. */
  readonly clock?: Clock;
}

/**
 * The stage `index`: writes rows guarded by version, and marks the chunk as done in the same transaction. Where the
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
  const envelopes = newestOf(delivery.packet.envelopes, new Map());
  let outcomes = addOutcomes(noOutcomes, { superseded: delivery.packet.envelopes.length - envelopes.length });
  const write = async (part: readonly VectorEnvelope[]) => {
    signal.throwIfAborted();
    const isWhole = part.length === envelopes.length;
    const ref =
      isWhole && chunk !== null ? { ...chunk, settled: addOutcomes(chunk.settled, outcomes) } : null;
    const written = await ports.store.writeRows(collection, part, ref);
    outcomes = addOutcomes(outcomes, countOf(written));
    observeFreshness(freshness, part, { written, nowMs: clock.nowMs() });
  };
  const failed = await bisect(envelopes, write);
  signal.throwIfAborted();
  if (failed.length > 0) {
    const { attempt } = delivery;
    const where = { collection, stage: "index" as const, runId: chunk?.runId ?? null, attempt };
    const letters = failed.map(({ item, error }) => deadLetterOf(item, where, error));
    await ports.store.addDeadLetters(letters);
    countFailures(counters, letters);
    outcomes = addOutcomes(outcomes, { deadLetters: failed.length });
  }
  if (chunk !== null && (failed.length > 0 || envelopes.length === 0)) {
    signal.throwIfAborted();
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
