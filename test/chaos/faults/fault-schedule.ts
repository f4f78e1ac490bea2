import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "../workload/seeded-random.ts";
import { faults, type Targets } from "./faults.ts";

export interface FaultLogEntry {
  readonly kind: string;
  readonly atMs: number;
}

const pauseMs = { min: 500, max: 2_000 };

/**
 * Begins a fault every half to two seconds, as the seed draws them, `count` in all; they may overlap. Resolves when the
 * last one is over.
 */
export async function runFaults(
  targets: Targets,
  random: SeededRandom,
  options: {
    readonly count: number;
    readonly onFault: (entry: FaultLogEntry) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const startedAtMs = performance.now();
  const running: Promise<void>[] = [];
  const cards = Object.entries(faults).flatMap(([kind, { weight }]) => new Array<string>(weight).fill(kind));
  for (let begun = 0; begun < options.count; ) {
    await sleep(random.between(pauseMs.min, pauseMs.max));
    if (options.signal.aborted) break;
    const { kind, over } = draw(targets, random, cards);
    running.push(over);
    begun += 1;
    options.onFault({ kind, atMs: performance.now() - startedAtMs });
  }
  await Promise.all(running);
}

function draw(targets: Targets, random: SeededRandom, cards: readonly string[]) {
  for (;;) {
    const kind = random.pick(cards);
    const over = faults[kind]?.begin(targets, random) ?? null;
    if (over !== null) return { kind, over };
  }
}
