import { fail, type Result, succeed } from "@medley/core";
import type { InputFailure } from "../runtime/session.ts";

/** A value of a field of type `series`: readings in the order of time, some of which may be missing. */
export interface SeriesValue {
  /** Milliseconds since 1970, rising, one per reading; null where only the order is known. */
  readonly times: readonly number[] | null;
  /** [readings][channels]; null is a missing reading. */
  readonly values: readonly (readonly (number | null)[])[];
}

/** Readings at equal distances. */
export interface RegularSeries {
  /** Of the first step, in milliseconds since 1970; null where only the order is known. */
  readonly startMs: number | null;
  /** [steps, channels]; NaN is missing. */
  readonly values: Float64Array;
  readonly steps: number;
}

export interface RegularSeriesOptions {
  readonly channels: number;
  /** The distance of two steps; null: each reading is a step. */
  readonly stepMs: number | null;
  /** The last steps only, and missing ones before the first reading where there are fewer. Default: from the first reading on. */
  readonly steps?: number;
}

/** Bounds what a reading far from the others may make of a series. */
const stepsMax = 2 ** 24;

/**
 * Readings brought to steps of `stepMs` that end with the last reading, each channel on its own: a step between two readings
 * lies on the line between them, weighted by time; one from which the nearest reading is a whole step or more away is missing.
 * Readings that already have the steps' times are kept to the bit.
 */
export function regularSeries(
  { times, values }: SeriesValue,
  { channels, stepMs, steps }: RegularSeriesOptions,
): Result<RegularSeries, InputFailure> {
  const count = values.length;
  if (count === 0) return fail({ message: "is an empty series" });
  if (values.some((reading) => reading.length !== channels)) {
    return fail({
      message: `has readings that are not of ${channels} channels`,
      mend: `give ${channels} numbers or nulls per reading, as the series that the model was trained on`,
    });
  }
  if (stepMs === null) return succeed(inOrder(values, { channels, steps: steps ?? count }));
  if (times === null || times.length !== count) {
    return fail({
      message: "has no time per reading",
      mend: 'give {"times": [...], "values": [...]}, as the series that the model was trained on have times',
    });
  }
  for (let at = 1; at < count; at += 1) {
    if (!((times[at] as number) > (times[at - 1] as number))) {
      return fail({ message: `has times that do not rise, at reading ${at}` });
    }
  }
  const lastMs = times[count - 1] as number;
  const spanned = Math.floor((lastMs - (times[0] as number)) / stepMs + 1e-6) + 1;
  const wanted = steps ?? spanned;
  if (wanted > stepsMax)
    return fail({ message: `spans ${wanted} steps of ${stepMs} ms, more than ${stepsMax}` });
  const startMs = lastMs - (wanted - 1) * stepMs;
  const regular = new Float64Array(wanted * channels).fill(Number.NaN);
  for (let channel = 0; channel < channels; channel += 1) {
    resample(
      { times, values },
      {
        channel,
        startMs,
        stepMs,
        put: (step, value) => (regular[step * channels + channel] = value),
        wanted,
      },
    );
  }
  return succeed({ startMs, values: regular, steps: wanted });
}

function inOrder(
  values: SeriesValue["values"],
  { channels, steps }: { channels: number; steps: number },
): RegularSeries {
  const regular = new Float64Array(steps * channels).fill(Number.NaN);
  const kept = values.slice(Math.max(0, values.length - steps));
  const before = steps - kept.length;
  for (const [at, reading] of kept.entries()) {
    for (const [channel, value] of reading.entries())
      regular[(before + at) * channels + channel] = value ?? Number.NaN;
  }
  return { startMs: null, values: regular, steps };
}

interface Resampling {
  readonly channel: number;
  readonly startMs: number;
  readonly stepMs: number;
  readonly wanted: number;
  readonly put: (step: number, value: number) => void;
}

/** Steps and readings are gone through side by side. */
function resample(
  { times, values }: { times: readonly number[]; values: SeriesValue["values"] },
  { channel, startMs, stepMs, wanted, put }: Resampling,
): void {
  const at = (reading: number) => values[reading]?.[channel] ?? Number.NaN;
  const isThere = (reading: number) => Number.isFinite(at(reading));
  const nextFrom = (reading: number) => {
    let next = reading;
    while (next < values.length && !isThere(next)) next += 1;
    return next;
  };
  let before = -1;
  let after = nextFrom(0);
  for (let step = 0; step < wanted; step += 1) {
    const ms = startMs + step * stepMs;
    while (after < values.length && (times[after] as number) <= ms) {
      before = after;
      after = nextFrom(after + 1);
    }
    const sinceMs = before < 0 ? Number.POSITIVE_INFINITY : ms - (times[before] as number);
    const untilMs = after >= values.length ? Number.POSITIVE_INFINITY : (times[after] as number) - ms;
    if (sinceMs === 0) put(step, at(before));
    else if (Math.min(sinceMs, untilMs) >= stepMs) continue;
    else if (untilMs === Number.POSITIVE_INFINITY) put(step, at(before));
    else if (sinceMs === Number.POSITIVE_INFINITY) put(step, at(after));
    else put(step, (at(before) * untilMs + at(after) * sinceMs) / (sinceMs + untilMs));
  }
}

/**
 * Fills what is missing in `window` [steps, channels], in place and from the window alone: on a line between the readings around
 * it, and with the nearest reading at both ends. A channel without any reading becomes `otherwise` of that channel. Returns the
 * share that was missing.
 */
export function fillMissing(window: Float64Array, channels: number, otherwise: ArrayLike<number>): number {
  const steps = window.length / channels;
  let missing = 0;
  for (let channel = 0; channel < channels; channel += 1) {
    const at = (step: number) => step * channels + channel;
    let before: number | null = null;
    for (let step = 0; step < steps; step += 1) {
      if (Number.isNaN(window[at(step)])) {
        missing += 1;
        continue;
      }
      fillBetween(window, at, { before, after: step });
      before = step;
    }
    if (before === null)
      for (let step = 0; step < steps; step += 1) window[at(step)] = otherwise[channel] as number;
    else for (let step = before + 1; step < steps; step += 1) window[at(step)] = window[at(before)] as number;
  }
  return missing / window.length;
}

/** The steps between two readings, or before the first. */
function fillBetween(
  window: Float64Array,
  at: (step: number) => number,
  { before, after }: { before: number | null; after: number },
): void {
  const right = window[at(after)] as number;
  const left = before === null ? right : (window[at(before)] as number);
  const from = before ?? -1;
  for (let gap = from + 1; gap < after; gap += 1)
    window[at(gap)] = left + ((right - left) * (gap - from)) / (after - from);
}
