import { describeFault } from "./scenario.ts";
import type { Outcome } from "./simulate.ts";

/** What a failing run is understood from: its seed, what it was up against, and the end of what happened. */
export function reportOf({ scenario, world, violation }: Outcome): string {
  const { seed, clients, run, faults, partitions, isOverload, rates, leaseMs } = scenario;
  const inputs = clients.map(({ batches }) => batches.flat().length).join(" and ");
  const lanes =
    partitions === 0 ? "the queue is both lanes" : `a log of ${partitions} partitions is the stream`;
  return [
    `seed ${seed}: ${violation?.message ?? "all promises were kept"}`,
    `  ${lanes}; clients send ${inputs} records${isOverload ? ", too fast" : ""}, a backfill ${run.chunks.flat().length}`,
    `  faults at a rate of ${rates.lost}, leases of ${leaseMs} ms, and`,
    ...faults.map((fault) => `    ${describeFault(fault)}`),
    "  the end of what happened:",
    ...world.trace.map((line) => `    ${line}`),
    `  again: MEDLEY_SIMULATE_SEED=${seed} npx vitest run test/simulator/simulator.test.ts`,
  ].join("\n");
}
