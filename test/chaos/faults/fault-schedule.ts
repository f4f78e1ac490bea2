import { setTimeout as sleep } from "node:timers/promises";
import type { Pace } from "../pace.ts";
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
    readonly pace: Pace;
    readonly onFault: (entry: FaultLogEntry) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const startedAtMs = performance.now();
  const running: Promise<unknown>[] = [];
  const failures: unknown[] = [];
  const deck = new Deck(random);
  for (let begun = 0; begun < options.count; ) {
    await sleep(random.between(pauseMs.min, pauseMs.max));
    await options.pace.faultMayCome();
    if (options.signal.aborted) break;
    const { kind, over } = deck.draw(targets);
    running.push(over.catch((error) => failures.push(error)));
    begun += 1;
    options.pace.faultCame();
    options.onFault({ kind, atMs: performance.now() - startedAtMs });
  }
  await Promise.all(running);
  if (failures.length > 0) throw new AggregateError(failures, "faults that could not be made good");
}

/** Every kind of fault comes before any comes more often than its cards say; one that can't act now stays in the deck. */
class Deck {
  readonly #random: SeededRandom;
  #cards: string[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  draw(targets: Targets): { kind: string; over: Promise<void> } {
    for (let at = 0; ; at++) {
      if (at >= this.#cards.length) this.#shuffleIn();
      const kind = this.#cards[at] as string;
      const over = faults[kind]?.begin(targets, this.#random) ?? null;
      if (over === null) continue;
      this.#cards.splice(at, 1);
      return { kind, over };
    }
  }

  /** A whole deck below what is left. */
  #shuffleIn(): void {
    const fresh = Object.entries(faults).flatMap(([kind, { cards }]) => new Array<string>(cards).fill(kind));
    while (fresh.length > 0) {
      this.#cards.push(...fresh.splice(this.#random.between(0, fresh.length - 1), 1));
    }
  }
}
