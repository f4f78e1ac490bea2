import { strict as assert } from "node:assert";
import { MedleyError, Random } from "@medley/core";
import type { RegularSeries } from "@medley/models";

export const seriesParts = ["train", "validation", "test"] as const;
export type SeriesPart = (typeof seriesParts)[number];

/**
 * How series are cut by time. `shares`: of the steps of all series, together 1 at most. `months`: of 30 days each, counted from the
 * first step, as the ETT benchmark does with 12, 4 and 4; what comes after them is not used.
 */
export type SeriesSplit =
  | { readonly shares: readonly [train: number, validation: number, test: number] }
  | { readonly months: readonly [train: number, validation: number, test: number] };

export interface BordersOptions {
  readonly split: SeriesSplit;
  readonly stepMs: number | null;
  /** Of the order of whole series, where they have no times to be cut by. */
  readonly seed: number;
}

export interface Borders {
  /** Null for steps on both sides of a border, or after the last one. */
  partOf(series: number, firstStep: number, lastStep: number): SeriesPart | null;
  /** Whether a step may be known to what is trained. */
  trains(series: number, step: number): boolean;
}

const monthMs = 30 * 24 * 3_600_000;

/**
 * Series with times are cut at the same two moments, whichever series they are, so that nothing is learned from a time that
 * validation or test asks about. A single series without times is cut by its order; of several, each goes to one part as a whole.
 */
export function bordersOf(series: readonly RegularSeries[], options: BordersOptions): Borders {
  const { stepMs, split } = options;
  const isTimed = stepMs !== null && series.every(({ startMs }) => startMs !== null);
  if (!isTimed && series.length > 1) return wholeSeries(series, options);
  const startOf = (at: number) => (isTimed ? (series[at]?.startMs as number) : 0);
  const momentOf = (at: number, step: number) => startOf(at) + step * (stepMs ?? 1);
  const borders =
    "months" in split ? monthBorders(series, options) : shareBorders(series, split.shares, momentOf);
  const sideOf = (moment: number) => borders.findIndex((border) => moment < border);
  return {
    partOf: (at, firstStep, lastStep) => {
      const side = sideOf(momentOf(at, firstStep));
      return side === sideOf(momentOf(at, lastStep)) ? (seriesParts[side] ?? null) : null;
    },
    trains: (at, step) => sideOf(momentOf(at, step)) === 0,
  };
}

function monthBorders(
  series: readonly RegularSeries[],
  { split, stepMs }: BordersOptions,
): [number, number, number] {
  assert("months" in split);
  if (stepMs === null || series.some(({ startMs }) => startMs === null)) {
    throw new MedleyError("training_data_invalid", "series without times can't be cut by months", {
      mend: "split by shares, or give times",
    });
  }
  const first = Math.min(...series.map(({ startMs }) => startMs as number));
  const [train, validation, test] = split.months;
  return [
    first + train * monthMs,
    first + (train + validation) * monthMs,
    first + (train + validation + test) * monthMs,
  ];
}

/** The moments before which the shares of all steps lie. */
function shareBorders(
  series: readonly RegularSeries[],
  shares: readonly [number, number, number],
  momentOf: (at: number, step: number) => number,
): [number, number, number] {
  const total = series.reduce((sum, { steps }) => sum + steps, 0);
  const moments = new Float64Array(total);
  let at = 0;
  for (const [which, { steps }] of series.entries()) {
    for (let step = 0; step < steps; step += 1) {
      moments[at] = momentOf(which, step);
      at += 1;
    }
  }
  moments.sort();
  const [train, validation, test] = shares;
  const borderAt = (share: number) => moments[Math.round(share * total)] ?? Number.POSITIVE_INFINITY;
  assert(train > 0 && validation > 0 && test >= 0 && train + validation + test <= 1 + 1e-9, "shares of 1");
  return [borderAt(train), borderAt(train + validation), borderAt(train + validation + test)];
}

function wholeSeries(series: readonly RegularSeries[], { split, seed }: BordersOptions): Borders {
  if ("months" in split) {
    throw new MedleyError("training_data_invalid", "series without times can't be cut by months", {
      mend: "split by shares, or give times",
    });
  }
  const order = new Random(seed).shuffle(Int32Array.from(series, (_, at) => at));
  const [train, validation, test] = split.shares;
  const borders = [train, train + validation, train + validation + test].map((share) =>
    Math.round(share * series.length),
  );
  const sides = new Map([...order].map((at, place) => [at, borders.findIndex((border) => place < border)]));
  return {
    partOf: (at) => seriesParts[sides.get(at) ?? -1] ?? null,
    trains: (at) => sides.get(at) === 0,
  };
}
