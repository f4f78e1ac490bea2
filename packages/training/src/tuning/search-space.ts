import { strict as assert } from "node:assert";
import type { Random } from "@medley/core";

/** What one setting may be. */
export type Dimension<Value = unknown> =
  | { readonly kind: "choice"; readonly values: readonly Value[] }
  | { readonly kind: "uniform" | "log_uniform" | "integer"; readonly min: number; readonly max: number };

/** Settings by name, as `{ learningRate: logUniform(1e-5, 1e-2), batchRows: choice(16, 32), blocks: integer(1, 4) }`. */
export type SearchSpace = Readonly<Record<string, Dimension>>;

/** One value per setting of a space. */
export type Candidate<Space extends SearchSpace> = {
  readonly [Name in keyof Space]: Space[Name] extends { readonly values: readonly (infer Value)[] }
    ? Value
    : number;
};

/** One of these. */
export function choice<const Value>(...values: readonly [Value, ...Value[]]): {
  readonly kind: "choice";
  readonly values: readonly Value[];
} {
  return { kind: "choice", values };
}

/** min ≤ x < max, each value as likely. */
export function uniform(min: number, max: number): Dimension<never> & { readonly kind: "uniform" } {
  assert(min < max, "min below max");
  return { kind: "uniform", min, max };
}

/** 0 < min ≤ x < max, each factor as likely: for learning rates and weight decay. */
export function logUniform(min: number, max: number): Dimension<never> & { readonly kind: "log_uniform" } {
  assert(0 < min && min < max, "0 below min below max");
  return { kind: "log_uniform", min, max };
}

/** A whole number, min ≤ x ≤ max. */
export function integer(min: number, max: number): Dimension<never> & { readonly kind: "integer" } {
  assert(Number.isSafeInteger(min) && Number.isSafeInteger(max) && min <= max, "whole numbers");
  return { kind: "integer", min, max };
}

/** What a grid may have. */
const gridMax = 10_000;

/**
 * Different candidates at random (Bergstra and Bengio, Random Search for Hyper-Parameter Optimization, 2012), `count` or, of a space that
 * has fewer, all. The same random numbers give the same ones.
 */
export function sampleCandidates<Space extends SearchSpace>(
  space: Space,
  { count, random }: { readonly count: number; readonly random: Random },
): Candidate<Space>[] {
  assert(count > 0, "a candidate");
  const size = Object.values(space).reduce((product, dimension) => product * sizeOf(dimension), 1);
  if (size <= Math.min(count, gridMax)) return random.shuffle(gridOf(space));
  const found = new Map<string, Candidate<Space>>();
  // A small grid may be drawn from again and again: half of it being left, 100 draws per candidate are far more than it takes.
  for (let draw = 0; found.size < count && draw < 100 * count; draw += 1) {
    const drawn = Object.entries(space).map(([name, dimension]) => [name, drawFrom(dimension, random)]);
    const candidate = Object.fromEntries(drawn) as Candidate<Space>;
    found.set(JSON.stringify(candidate), candidate);
  }
  return [...found.values()];
}

/** Every candidate of a space of choices and whole numbers, the last setting changing first; 10,000 at most. */
export function gridOf<Space extends SearchSpace>(space: Space): Candidate<Space>[] {
  let grid: Readonly<Record<string, unknown>>[] = [{}];
  for (const [name, dimension] of Object.entries(space)) {
    assert(grid.length * sizeOf(dimension) <= gridMax, `a grid of at most ${gridMax}`);
    grid = grid.flatMap((begun) => valuesOf(dimension).map((value) => ({ ...begun, [name]: value })));
  }
  return grid as Candidate<Space>[];
}

function sizeOf(dimension: Dimension): number {
  if (dimension.kind === "choice") return dimension.values.length;
  return dimension.kind === "integer" ? dimension.max - dimension.min + 1 : Number.POSITIVE_INFINITY;
}

function valuesOf(dimension: Dimension): readonly unknown[] {
  if (dimension.kind === "choice") return dimension.values;
  return Array.from({ length: sizeOf(dimension) }, (_, at) => (dimension as { min: number }).min + at);
}

function drawFrom(dimension: Dimension, random: Random): unknown {
  if (dimension.kind === "choice") return dimension.values[random.below(dimension.values.length)];
  const { kind, min, max } = dimension;
  if (kind === "integer") return min + random.below(max - min + 1);
  const share = random.uniform();
  return kind === "uniform" ? min + share * (max - min) : min * (max / min) ** share;
}
