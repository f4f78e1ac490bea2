import { strict as assert } from "node:assert";
import { MedleyError, type Random } from "@medley/core";
import {
  fillMissing,
  marksOf,
  regularSeries,
  type SeriesManifest,
  type SeriesValue,
  scaleWindow,
} from "@medley/models";
import type { Batch } from "../engine/index.ts";
import { fitScaler } from "./scaler.ts";
import { type BordersOptions, bordersOf, type SeriesPart } from "./split.ts";

export interface WindowsOptions extends BordersOptions {
  readonly lookback: number;
  readonly horizon: number;
  /** Steps from a window to the next of the same series. */
  readonly stride: number;
  readonly stepMs: number | null;
  readonly calendar: boolean;
  readonly missingShareMax: number;
}

/** A series, and the record that it is of where there is one. */
export interface RecordSeries extends SeriesValue {
  readonly id?: string;
}

/** A series once scaled, so that a window of it is a copy where nothing is missing. */
interface ScaledSeries {
  readonly startMs: number | null;
  /** [steps, channels]; NaN is missing. */
  readonly values: Float32Array;
  readonly isWhole: boolean;
}

/** What a window begins with and what follows it: `lookback` steps before `end`, `horizon` steps from there on. */
interface Window {
  readonly series: ScaledSeries;
  readonly end: number;
}

/** Of `rows` windows, row-major. */
export interface WindowBatch {
  /** The graph's inputs: `series` [rows, lookback, channels] and, with a calendar, `marks` [rows, lookback + horizon, marks]. */
  readonly inputs: Batch;
  /** Scaled, [rows, horizon, channels]; 0 where it is missing. */
  readonly targets: Float32Array;
  /** 1 where there is a target, 0 where it is missing. */
  readonly weights: Float32Array;
}

/** How windows differ is told from two of them; one is enough to tell how well a forecast is. */
const windowsMin = { train: 2, validation: 1 } as const;

/**
 * Windows over series and what follows each, in three parts by time, scaled by what the training part alone says. A window
 * belongs to the part in which all that it forecasts lies; it may look back into the part before. A series too short for a whole
 * window gives one that begins with missing steps. Windows with too many missing steps, or without a target, are left out.
 */
export class SeriesWindows {
  readonly manifest: SeriesManifest;
  readonly counts: Readonly<Record<SeriesPart, number>>;
  readonly #parts: Readonly<Record<SeriesPart, readonly Window[]>>;

  /** Throws `training_data_invalid` where a series can't be read, training has fewer than two windows, or validation none. */
  constructor(values: readonly RecordSeries[], options: WindowsOptions) {
    const { lookback, horizon, stepMs, calendar, missingShareMax } = options;
    assert(lookback > 1 && horizon > 0 && options.stride > 0, "windows of at least two steps, and a stride");
    const channels = values[0]?.values[0]?.length ?? 0;
    const series = values.map((value, at) => {
      const regular = regularSeries(value, { channels, stepMs });
      if (regular.ok) return regular.value;
      const which = value.id === undefined ? `${at + 1} of ${values.length}` : `of record "${value.id}"`;
      throw invalid(`series ${which} ${regular.failure.message}`, regular.failure.mend);
    });
    if (channels === 0) throw invalid("there is no series with a reading", "name a field that has series");
    const borders = bordersOf(series, options);
    const scaler = fitScaler(series, channels, borders.trains);
    const calendarThere = calendar && series.every(({ startMs }) => startMs !== null);
    this.manifest = {
      channels,
      lookback,
      horizon,
      stepMs,
      calendar: calendarThere,
      ...scaler,
      missingShareMax,
    };
    const parts: Record<SeriesPart, Window[]> = { train: [], validation: [], test: [] };
    for (const [at, { startMs, values: unscaled, steps }] of series.entries()) {
      const scaled = scaleWindow(unscaled, this.manifest);
      const each = { startMs, values: scaled, isWhole: !scaled.some(Number.isNaN) };
      const first = Math.min(lookback, steps - horizon);
      for (let end = first; end > 0 && end + horizon <= steps; end += options.stride) {
        const part = borders.partOf(at, end, end + horizon - 1);
        if (part !== null && this.#isUsable({ series: each, end })) parts[part].push({ series: each, end });
      }
    }
    this.#parts = parts;
    this.counts = { train: parts.train.length, validation: parts.validation.length, test: parts.test.length };
    for (const part of ["train", "validation"] as const) {
      if (parts[part].length >= windowsMin[part]) continue;
      const left = parts[part].length === 0 ? "no window" : "only one window";
      throw invalid(
        `${left} of ${lookback} + ${horizon} steps is left for ${part}, where there must be ${windowsMin[part]}`,
        "give longer or more series, or a shorter look-back and horizon",
      );
    }
  }

  /** Any order, any number, repeated ones too. */
  batch(part: SeriesPart, numbers: ArrayLike<number>): WindowBatch {
    const { channels, lookback, horizon, stepMs, calendar } = this.manifest;
    const rows = numbers.length;
    const perTarget = horizon * channels;
    const inputs = new Float32Array(rows * lookback * channels);
    const targets = new Float32Array(rows * perTarget);
    const weights = new Float32Array(rows * perTarget);
    const marks: Float32Array[] = [];
    for (let row = 0; row < rows; row += 1) {
      const { series, end } = this.#parts[part][numbers[row] as number] as Window;
      inputs.set(this.#lookback({ series, end }).values, row * lookback * channels);
      const actual = series.values.subarray(end * channels, (end + horizon) * channels);
      if (series.isWhole) {
        targets.set(actual, row * perTarget);
        weights.fill(1, row * perTarget, (row + 1) * perTarget);
      } else {
        for (const [at, value] of actual.entries()) {
          if (Number.isNaN(value)) continue;
          targets[row * perTarget + at] = value;
          weights[row * perTarget + at] = 1;
        }
      }
      if (calendar && stepMs !== null && series.startMs !== null)
        marks.push(marksOf(series.startMs + (end - lookback) * stepMs, stepMs, lookback + horizon));
    }
    const calendarInputs = calendar ? { marks: joined(marks) } : {};
    return { inputs: { series: inputs, ...calendarInputs }, targets, weights };
  }

  /** The time of the first step that each window of a part forecasts; null where only the order is known. */
  targetTimes(part: SeriesPart): (number | null)[] {
    const { stepMs } = this.manifest;
    return this.#parts[part].map(({ series: { startMs }, end }) =>
      startMs === null || stepMs === null ? null : startMs + end * stepMs,
    );
  }

  #isUsable(window: Window): boolean {
    const { channels, horizon, missingShareMax } = this.manifest;
    const { series, end } = window;
    if (series.isWhole) return this.#lookback(window).missing <= missingShareMax;
    const ahead = series.values.subarray(end * channels, (end + horizon) * channels);
    return ahead.some((value) => !Number.isNaN(value)) && this.#lookback(window).missing <= missingShareMax;
  }

  /** [lookback, channels], filled as `windowOf` does it; scaling first makes no difference to a line. */
  #lookback({ series, end }: Window): { values: Float32Array; missing: number } {
    const { channels, lookback } = this.manifest;
    if (series.isWhole && end >= lookback) {
      return { values: series.values.subarray((end - lookback) * channels, end * channels), missing: 0 };
    }
    const window = new Float64Array(lookback * channels).fill(Number.NaN);
    const from = Math.max(0, end - lookback);
    window.set(series.values.subarray(from * channels, end * channels), (lookback - (end - from)) * channels);
    const missing = fillMissing(window, channels, new Float64Array(channels));
    return { missing, values: Float32Array.from(window) };
  }
}

/** The windows of a part once, in batches of `rows`, shuffled; the last batch is filled up with windows drawn again. */
export function* shuffledBatches(count: number, rows: number, random: Random): Generator<Int32Array> {
  const order = random.shuffle(Int32Array.from({ length: count }, (_, at) => at));
  for (let from = 0; from < count; from += rows) {
    yield Int32Array.from({ length: rows }, (_, at) => order[from + at] ?? random.below(count));
  }
}

/** All windows of a part in order; the last batch is the rest. */
export function* batchesInOrder(count: number, rows: number): Generator<Int32Array> {
  for (let from = 0; from < count; from += rows) {
    yield Int32Array.from({ length: Math.min(rows, count - from) }, (_, at) => from + at);
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function invalid(message: string, mend?: string): MedleyError {
  return new MedleyError("training_data_invalid", message, mend === undefined ? {} : { mend });
}
