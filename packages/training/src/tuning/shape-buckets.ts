import { strict as assert } from "node:assert";
import type { Random } from "@medley/core";

/** Inputs that are in a batch together: one, or the two of a pair. */
export interface Unit {
  readonly rows: readonly number[];
  /** Of its longest row. */
  readonly length: number;
}

/** Rows of one batch; `length` is what they are padded to. */
export interface ShapedBatch {
  readonly length: number;
  /** Row numbers; fewer than a batch holds only in the last batch of the longest shape. */
  readonly rows: readonly number[];
}

/** Each is at most half longer than the one before, so a batch is at most a third padding, and mostly much less. */
const lengthSteps = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
/** A shape of its own costs a session: a few seconds and some memory. */
const shapesMax = 6;

/**
 * The few lengths that batches are padded to: steps of half, of which those that hold least are joined with the next longer
 * one; the longest is that of the longest row.
 */
export function shapeLengths(lengths: ArrayLike<number>, { batchRows }: { batchRows: number }): number[] {
  const longest = Math.max(1, ...Array.from(lengths));
  let shapes = [...lengthSteps.filter((step) => step < longest), longest];
  const held = (at: number) => {
    const above = shapes[at - 1] ?? 0;
    let count = 0;
    for (let row = 0; row < lengths.length; row += 1) {
      const length = lengths[row] as number;
      if (length > above && length <= (shapes[at] as number)) count += 1;
    }
    return count;
  };
  while (shapes.length > 1) {
    const counts = shapes.slice(0, -1).map((_, at) => held(at));
    const least = counts.indexOf(Math.min(...counts));
    if (shapes.length <= shapesMax && (counts[least] as number) >= batchRows) break;
    shapes = shapes.filter((_, at) => at !== least);
  }
  return shapes;
}

/**
 * The batches of an epoch in random order: units of about one length together, in full batches. What is left over of a
 * shape goes with the next longer one.
 */
export function shapedBatches(
  units: readonly Unit[],
  shapes: readonly number[],
  { batchRows, random }: { batchRows: number; random: Random },
): ShapedBatch[] {
  const shuffled = random.shuffle([...units]);
  const perUnit = units[0]?.rows.length ?? 1;
  assert(batchRows % perUnit === 0, "whole units in a batch");
  const batches: ShapedBatch[] = [];
  let left: Unit[] = [];
  for (const [at, length] of shapes.entries()) {
    const above = shapes[at - 1] ?? 0;
    const mine = [...left, ...shuffled.filter((unit) => unit.length > above && unit.length <= length)];
    const full = mine.length - (mine.length % (batchRows / perUnit));
    const whole = at === shapes.length - 1 ? mine.length : full;
    for (let from = 0; from < whole; from += batchRows / perUnit) {
      const chosen = mine.slice(from, Math.min(whole, from + batchRows / perUnit));
      batches.push({ length, rows: chosen.flatMap(({ rows }) => rows) });
    }
    left = mine.slice(whole);
  }
  assert.equal(left.length, 0, "every unit fits the longest shape");
  return random.shuffle(batches);
}
