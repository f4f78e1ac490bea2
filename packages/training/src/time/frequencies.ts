import { setImmediate } from "node:timers/promises";
import type { Random } from "@medley/core";
import { type DenseMatrix, denseMatrix } from "../linear-algebra/matrix.ts";
import { orthonormalise } from "../linear-algebra/orthonormalise.ts";

export interface TimedTargets {
  /** Days since any origin, in any order and at any distances. */
  readonly days: Float64Array;
  /** [rows, outputs]. */
  readonly values: DenseMatrix;
}

export interface FrequencyOptions {
  readonly count: number;
  /** Cycles per day. */
  readonly frequencyMax: number;
  readonly random: Random;
  /** Those found by then are enough, if there is one. */
  readonly signal?: AbortSignal | undefined;
  /** Told of the period that is looked for, from 1, and how many of the targets' values have had their part in its periodogram. */
  readonly onValues?: ((period: number, done: number, total: number) => void) | undefined;
}

/** Frequencies that are looked at, per one that the span of time can tell from its neighbours. */
const oversampling = 2;
const candidatesMax = 100_000;
/** Turned by all candidates before the event loop runs: 10 million steps, some 30 ms. */
const rowsAtOnce = 100;
/** What has not come back at least once in the span is no period, and would be a wrong guess beyond it. */
const cyclesMin = 2;
const firstCandidate = cyclesMin * oversampling;

/**
 * The frequencies, in cycles per day, that explain most of the targets, one after the other: the highest peak of the periodogram, then
 * that of what all found so far leave over beside a straight line (orthogonal matching pursuit: Pati, Rezaiifar and
 * Krishnaprasad, 1993). Candidates lie between two cycles in the whole span and `frequencyMax`, or less where those would be more
 * than 100,000. Gradients alone don't find a frequency that is off by more than a cycle in the span; they refine it. Where nothing is left
 * to explain, and for those that a signal leaves no time for, they are drawn at random.
 *
 * The event loop runs between batches of rows. Throws the signal's reason where it comes before the first frequency is found.
 */
export async function strongestFrequencies(
  { days, values }: TimedTargets,
  { count, frequencyMax, random, signal, onValues }: FrequencyOptions,
): Promise<number[]> {
  const first = days.reduce((least, day) => Math.min(least, day), Number.POSITIVE_INFINITY);
  const span = days.reduce((most, day) => Math.max(most, day), Number.NEGATIVE_INFINITY) - first;
  const step = 1 / (oversampling * span);
  const candidates = Math.max(firstCandidate, Math.min(candidatesMax, Math.floor(frequencyMax / step)));
  const found: number[] = [];
  const explained: Float64Array[] = [days.map(() => 1), days.map((day) => (day - first) / span)];
  const anyCandidate = () => firstCandidate + random.below(candidates - firstCandidate + 1);
  while (found.length < count) {
    const powers = await periodogram(days, residual(values, explained), {
      ...{ step, candidates, signal },
      onValues: (done, total) => onValues?.(found.length + 1, done, total),
    });
    if (powers === null && found.length === 0) signal?.throwIfAborted();
    if (powers === null)
      return [...found, ...Array.from({ length: count - found.length }, () => anyCandidate() * step)];
    const frequency = (peakOf(powers) ?? anyCandidate()) * step;
    found.push(frequency);
    explained.push(
      days.map((day) => Math.sin(2 * Math.PI * frequency * day)),
      days.map((day) => Math.cos(2 * Math.PI * frequency * day)),
    );
  }
  return found;
}

export interface PeriodogramOptions extends Pick<FrequencyOptions, "signal"> {
  readonly step: number;
  readonly candidates: number;
  readonly onValues?: (done: number, total: number) => void;
}

/** The power at k `step` for k from 1 to `candidates`, summed over outputs; entry 0 stays 0. Null where the signal came first. */
export async function periodogram(
  days: Float64Array,
  { rows, columns, values }: DenseMatrix,
  { step, candidates, signal, onValues }: PeriodogramOptions,
): Promise<Float64Array | null> {
  const powers = new Float64Array(candidates + 1);
  for (let output = 0; output < columns; output += 1) {
    const [real, imaginary] = [new Float64Array(candidates + 1), new Float64Array(candidates + 1)];
    for (const [row, day] of days.entries()) {
      if (row % rowsAtOnce === 0) {
        await setImmediate();
        if (signal?.aborted) return null;
        onValues?.(output * rows + row, columns * rows);
      }
      const value = values[row * columns + output] as number;
      const angle = 2 * Math.PI * step * day;
      const [turnX, turnY] = [Math.cos(angle), Math.sin(angle)];
      // The next frequency is one more turn by the same angle, which spares its sine and cosine.
      let x = value;
      let y = 0;
      for (let k = 1; k <= candidates; k += 1) {
        const turned = x * turnX - y * turnY;
        y = x * turnY + y * turnX;
        x = turned;
        real[k] = (real[k] as number) + x;
        imaginary[k] = (imaginary[k] as number) + y;
      }
    }
    for (let k = 1; k <= candidates; k += 1) {
      powers[k] = (powers[k] as number) + (real[k] as number) ** 2 + (imaginary[k] as number) ** 2;
    }
  }
  return powers;
}

/** Undefined where nothing is left to explain. */
function peakOf(powers: Float64Array): number | undefined {
  let best = firstCandidate;
  for (let k = firstCandidate; k < powers.length; k += 1) {
    if ((powers[k] as number) > (powers[best] as number)) best = k;
  }
  return (powers[best] as number) > Number.EPSILON ? best : undefined;
}

/** What is left of each column of `values` beside its projection on the span of `columns`. */
function residual(values: DenseMatrix, columns: readonly Float64Array[]): DenseMatrix {
  const { rows } = values;
  const basis = denseMatrix(rows, columns.length);
  for (const [column, entries] of columns.entries()) {
    for (let row = 0; row < rows; row += 1)
      basis.values[row * columns.length + column] = entries[row] as number;
  }
  const orthonormal = orthonormalise(basis).values;
  const rest = Float64Array.from(values.values);
  for (let output = 0; output < values.columns; output += 1) {
    for (let column = 0; column < columns.length; column += 1) {
      let share = 0;
      for (let row = 0; row < rows; row += 1) {
        share +=
          (rest[row * values.columns + output] as number) *
          (orthonormal[row * columns.length + column] as number);
      }
      for (let row = 0; row < rows; row += 1) {
        const at = row * values.columns + output;
        rest[at] = (rest[at] as number) - share * (orthonormal[row * columns.length + column] as number);
      }
    }
  }
  return { ...values, values: rest };
}
