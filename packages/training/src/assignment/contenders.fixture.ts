import { Random } from "@medley/core";
import type { Split } from "../data/parts.ts";
import type { Contender } from "./arm.ts";
import type { Cost } from "./cost.ts";

export const cheap: Cost = {
  millisecondsPerRecord: 0.01,
  bytesPerRecord: 8,
  modelBytes: 0,
  trainingSeconds: 0,
};
export const dear: Cost = {
  millisecondsPerRecord: 8,
  bytesPerRecord: 768,
  modelBytes: 2e7,
  trainingSeconds: 60,
};

/** Half train, a quarter each validation and test, in the order of the rows. */
export function splitOf(rows: number): Split {
  const part = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, at) => from + at);
  const [first, second] = [Math.floor(rows / 2), Math.floor((3 * rows) / 4)];
  return { train: part(0, first), validation: part(first, second), test: part(second, rows) };
}

export function classesOf(rows: number, count: number, seed: number): string[] {
  const random = new Random(seed);
  return Array.from({ length: rows }, () => `class ${random.below(count)}`);
}

/** Vectors in which a row's class shows by so much above noise of deviation 1; 0: not at all. */
export function contender(
  of: { readonly space: string; readonly candidate: string; readonly cost: Cost },
  labels: readonly string[],
  {
    signal,
    seed,
    dimensions = 8,
  }: { readonly signal: number; readonly seed: number; readonly dimensions?: number },
): Contender {
  const random = new Random(seed);
  const names = [...new Set(labels)].sort();
  const values = new Float32Array(labels.length * dimensions);
  for (const [row, label] of labels.entries()) {
    for (let at = 0; at < dimensions; at += 1) values[row * dimensions + at] = random.normal();
    const own = row * dimensions + (names.indexOf(label) % dimensions);
    values[own] = (values[own] as number) + signal;
  }
  return { ...of, readTable: () => ({ values, dimensions }) };
}
