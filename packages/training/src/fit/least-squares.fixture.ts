import { Random } from "@medley/core";
import type { StateTensor } from "../engine/training-step.ts";
import type { LearningStep } from "./fit.ts";

/** Rows of x, five numbers each, and y = x · truth + noise. */
export interface Rows {
  readonly x: readonly (readonly number[])[];
  readonly y: readonly number[];
}

const truth = [1, -2, 0.5, 3, 0];

export function rowsOf(count: number, seed: number, noise = 0.1): Rows {
  const random = new Random(seed);
  const x = Array.from({ length: count }, () => truth.map(() => random.normal()));
  return { x, y: x.map((row) => dot(row, truth) + noise * random.normal()) };
}

/** Linear least squares by gradient descent with momentum: weights and momentum are its state. */
export class LeastSquares implements LearningStep<Rows> {
  readonly weights = new Float32Array(5);
  readonly #momentum = new Float32Array(5);
  readonly learningRates: number[] = [];

  async train({ x, y }: Rows, learningRate: number): Promise<{ loss: number }> {
    this.learningRates.push(learningRate);
    const errors = x.map((row, at) => dot(row, this.weights) - (y[at] as number));
    for (let of = 0; of < 5; of += 1) {
      const gradient = errors.reduce(
        (sum, error, at) => sum + 2 * error * ((x[at] as number[])[of] as number),
        0,
      );
      this.#momentum[of] = 0.9 * (this.#momentum[of] as number) + gradient / x.length;
      this.weights[of] = (this.weights[of] as number) - learningRate * (this.#momentum[of] as number);
    }
    return { loss: errors.reduce((sum, error) => sum + error * error, 0) / x.length };
  }

  error({ x, y }: Rows): number {
    return x.reduce((sum, row, at) => sum + (dot(row, this.weights) - (y[at] as number)) ** 2, 0) / x.length;
  }

  state(): Map<string, StateTensor> {
    return new Map([
      ["weights", { dims: [5], data: this.weights.slice() }],
      ["momentum", { dims: [1, 5], data: this.#momentum.slice() }],
    ]);
  }

  restore(state: ReadonlyMap<string, StateTensor>): void {
    this.weights.set(state.get("weights")?.data ?? []);
    this.#momentum.set(state.get("momentum")?.data ?? []);
  }
}

/** Batches of eight in the order that `random` gives. */
export function batchesOf(rows: Rows): (random: Random) => Generator<Rows> {
  return function* (random) {
    const order = random.shuffle(Int32Array.from(rows.y, (_, row) => row));
    for (let start = 0; start + 8 <= order.length; start += 8) {
      const batch = [...order.subarray(start, start + 8)];
      yield { x: batch.map((row) => rows.x[row] as number[]), y: batch.map((row) => rows.y[row] as number) };
    }
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a, (value, at) => value * (b[at] as number)).reduce((sum, product) => sum + product, 0);
}
