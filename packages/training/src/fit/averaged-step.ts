import { strict as assert } from "node:assert";
import type { TrainedTensors } from "../engine/graph.ts";
import type { StateTensor } from "../engine/training-step.ts";
import type { LearningStep } from "./fit.ts";

/** What is averaged; `TrainingStep` of the engine is one. */
export interface Learner<Batch> extends LearningStep<Batch> {
  /** What it has learned, by name. A copy. */
  trained(): TrainedTensors;
}

const sumName = (name: string) => `average/${name}`;
const countedName = "average-counted";

/**
 * A step beside which a mean of all that it has learned is kept, in which what a step has learned counts `decay` times what the next one
 * has (Polyak and Juditsky, Acceleration of stochastic approximation by averaging, 1992). The step itself goes on as without it. The mean
 * begins at nothing and is divided by how much was counted, as Adam's moments are.
 */
export class AveragedStep<Batch> implements LearningStep<Batch> {
  readonly #step: Learner<Batch>;
  readonly #decay: number;
  readonly #sums: ReadonlyMap<string, Float32Array>;
  #counted = 0;

  constructor(step: Learner<Batch>, { decay }: { readonly decay: number }) {
    assert(decay > 0 && decay < 1, "a decay between 0 and 1");
    this.#step = step;
    this.#decay = decay;
    this.#sums = new Map([...step.trained()].map(([name, { length }]) => [name, new Float32Array(length)]));
  }

  async train(batch: Batch, learningRate: number): Promise<{ readonly loss: number }> {
    const result = await this.#step.train(batch, learningRate);
    const learned = this.#step.trained();
    const share = 1 - this.#decay;
    for (const [name, sum] of this.#sums) {
      const values = learned.get(name) as Float32Array;
      for (let at = 0; at < sum.length; at += 1)
        sum[at] = (sum[at] as number) * this.#decay + (values[at] as number) * share;
    }
    // As precise as a checkpoint keeps it, so that a resumed training comes to the same bits.
    this.#counted = Math.fround(this.#counted * this.#decay + share);
    return result;
  }

  /** The mean, by name; before the first step what the step begins with. A copy. */
  trained(): TrainedTensors {
    if (this.#counted === 0) return this.#step.trained();
    return new Map([...this.#sums].map(([name, sum]) => [name, sum.map((value) => value / this.#counted)]));
  }

  state(): ReadonlyMap<string, StateTensor> {
    const sums = [...this.#sums].map(
      ([name, sum]) => [sumName(name), { dims: [sum.length], data: sum.slice() }] as const,
    );
    const counted = { dims: [], data: Float32Array.of(this.#counted) };
    return new Map([...this.#step.state(), ...sums, [countedName, counted]]);
  }

  async restore(state: ReadonlyMap<string, StateTensor>): Promise<void> {
    for (const [name, sum] of this.#sums) {
      const { data } = state.get(sumName(name)) ?? {};
      assert.equal(data?.length, sum.length, `the state has the average of ${name}`);
      sum.set(data as Float32Array);
    }
    this.#counted = state.get(countedName)?.data[0] ?? 0;
    await this.#step.restore(state);
  }
}
