import type { Delivery, Store, VectorEnvelope, WriteOutcome } from "@medley/core";
import { bisect } from "./bisect.ts";
import { addOutcomes, noOutcomes, type PipelineCounters } from "./counters.ts";
import { deadLetterOf } from "./dead-letters.ts";

export interface IndexPorts {
  readonly store: Pick<Store, "writeRows" | "addDeadLetters">;
  readonly counters: PipelineCounters;
}

/**
 * The stage `index`: writes rows guarded by version, and marks the chunk as done in the same transaction. Where the
 * store refuses a row for what it holds, the batch is halved until that row stands alone as a dead letter; then the
 * chunk is marked by itself. Resolves when all is durable; running it again has no second effect (promises P1-P3, P6).
 */
export async function indexRows(
  ports: IndexPorts,
  delivery: Delivery<"vectors">,
  signal: AbortSignal,
): Promise<void> {
  const { collection, envelopes, chunk } = delivery.packet;
  const counters = ports.counters.stages.index;
  counters.received += envelopes.length;
  let outcomes = noOutcomes;
  const write = async (part: readonly VectorEnvelope[]) => {
    signal.throwIfAborted();
    const whole = part.length === envelopes.length;
    const written = await ports.store.writeRows(collection, part, whole ? chunk : null);
    outcomes = addOutcomes(outcomes, countOf(written));
  };
  const failed = await bisect(envelopes, write);
  if (failed.length > 0) {
    const { attempt } = delivery;
    const where = { collection, stage: "index" as const, runId: chunk?.runId ?? null, attempt };
    await ports.store.addDeadLetters(failed.map(({ item, error }) => deadLetterOf(item, where, error)));
    outcomes = addOutcomes(outcomes, { deadLetters: failed.length });
  }
  if (chunk !== null && (failed.length > 0 || envelopes.length === 0)) {
    await ports.store.writeRows(collection, [], { ...chunk, settled: addOutcomes(chunk.settled, outcomes) });
  }
  counters.deadLetters += outcomes.deadLetters;
  counters.superseded += outcomes.superseded;
  counters.sent += outcomes.indexed + outcomes.tombstoned;
}

function countOf(outcomes: readonly WriteOutcome[]): Record<WriteOutcome, number> {
  const counts = { indexed: 0, tombstoned: 0, superseded: 0 };
  for (const outcome of outcomes) counts[outcome] += 1;
  return counts;
}
