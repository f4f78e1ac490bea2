import { strict as assert } from "node:assert";
import { type BootstrapInterval, pairedBootstrap } from "../evaluation/bootstrap.ts";
import { spreadOf } from "../evaluation/spread.ts";
import type { TrainingProgress } from "../progress.ts";

/**
 * The way of a cycle: a model is trained and scored on validation rows; while it gains on the best one before, significantly, another
 * round follows; when it does not, or rounds are used up, the best is tested on the held-out rows, once. No way leads from the
 * test back to training, so nothing can be chosen by what it says.
 */
export type CycleState = "training" | "validating" | "testing" | "ended";
export type CycleEvent = "trained" | "gained" | "plateaued" | "tested" | "interrupted";

/** `null`: the event is a bug in that state. */
export const cycleTransitions: Record<CycleState, Record<CycleEvent, CycleState | null>> = {
  training: { trained: "validating", gained: null, plateaued: null, tested: null, interrupted: "ended" },
  validating: { trained: null, gained: "training", plateaued: "testing", tested: null, interrupted: "ended" },
  testing: { trained: null, gained: null, plateaued: null, tested: "ended", interrupted: "ended" },
  ended: { trained: null, gained: null, plateaued: null, tested: null, interrupted: null },
};

export interface CycleOptions<Model> {
  /** Trains the model of a round (from 0), knowing the best one so far: wider settings, more blocks, other data. */
  readonly train: (round: number, best: Model | null, signal: AbortSignal | undefined) => Promise<Model>;
  /** A score per validation row, higher being better, of the same rows in the same order every time. */
  readonly validate: (model: Model) => Promise<ArrayLike<number>>;
  /** Figures on the held-out rows; called once, with the best model. */
  readonly test: (model: Model) => Promise<Readonly<Record<string, number>>>;
  readonly roundsMax: number;
  /** Of the interval that a gain must lie above 0 with. Default .95. */
  readonly confidence?: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
}

export interface CycleRound {
  readonly meanScore: number;
  /** Over the best before; null in the first round. */
  readonly gain: BootstrapInterval | null;
}

export interface CycleResult<Model> {
  /** Null where the signal came before the first was scored. */
  readonly best: { readonly model: Model; readonly round: number } | null;
  readonly rounds: readonly CycleRound[];
  readonly endedBy: "plateau" | "rounds" | "signal";
  /** Null where the signal came before it was done. */
  readonly test: Readonly<Record<string, number>> | null;
}

/**
 * Runs the cycle of `cycleTransitions`. Gains are judged by the paired bootstrap over validation rows; a model that is better, but not
 * significantly, is not kept: the earlier one is as good and cost less. At the signal the best is returned, untested.
 */
export async function runCycle<Model>(options: CycleOptions<Model>): Promise<CycleResult<Model>> {
  assert(options.roundsMax > 0, "a round");
  const cycle = new Cycle(options);
  while (cycle.state !== "ended") await cycle.advance();
  return cycle.result;
}

class Cycle<Model> {
  state: CycleState = "training";
  readonly #options: CycleOptions<Model>;
  readonly #rounds: CycleRound[] = [];
  #trained: Model | null = null;
  #best: { readonly model: Model; readonly round: number; readonly scores: ArrayLike<number> } | null = null;
  #endedBy: CycleResult<Model>["endedBy"] = "plateau";
  #test: CycleResult<Model>["test"] = null;

  constructor(options: CycleOptions<Model>) {
    this.#options = options;
  }

  get result(): CycleResult<Model> {
    const best = this.#best && { model: this.#best.model, round: this.#best.round };
    return { best, rounds: this.#rounds, endedBy: this.#endedBy, test: this.#test };
  }

  /** Does what the state asks for, and goes on to the next. */
  async advance(): Promise<void> {
    const { signal } = this.#options;
    let event: CycleEvent = "interrupted";
    try {
      if (!signal?.aborted) event = await this.#act();
    } catch (error) {
      // What the signal cut short may end in any way.
      if (!signal?.aborted) throw error;
    }
    // A training that the signal cut short gives a model too; it was not trained as its round asks for.
    if (signal?.aborted && this.state !== "testing") event = "interrupted";
    if (event === "interrupted") this.#endedBy = "signal";
    const next = cycleTransitions[this.state][event];
    assert(next !== null, `${event} while ${this.state}`);
    this.state = next;
  }

  async #act(): Promise<CycleEvent> {
    const { train, test, signal, roundsMax, onProgress } = this.#options;
    switch (this.state) {
      case "training":
        onProgress?.({ stage: "tuning", done: this.#rounds.length, total: roundsMax, unit: "rounds" });
        this.#trained = await train(this.#rounds.length, this.#best?.model ?? null, signal);
        return "trained";
      case "validating":
        return this.#compare();
      case "testing":
        assert(this.#best, "a model to test");
        this.#test = await test(this.#best.model);
        return "tested";
      default:
        throw new Error(`nothing to do when ${this.state}`);
    }
  }

  async #compare(): Promise<CycleEvent> {
    const { validate, seed, confidence = 0.95, roundsMax } = this.#options;
    const model = this.#trained as Model;
    const scores = await validate(model);
    const gain = this.#best && pairedBootstrap(scores, this.#best.scores, { seed, confidence });
    const round = this.#rounds.push({ meanScore: spreadOf(Array.from(scores)).mean, gain }) - 1;
    if (gain !== null && !gain.isGain) return "plateaued";
    this.#best = { model, round, scores };
    if (this.#rounds.length < roundsMax) return "gained";
    this.#endedBy = "rounds";
    return "plateaued";
  }
}
