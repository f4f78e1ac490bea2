import { fail, isObject, MedleyError, type Result, succeed } from "@medley/core";
import type { InputFailure } from "../runtime/session.ts";
import { calendarMarks, marksOf } from "./calendar-marks.ts";
import type { ArtefactFiles, Features, FeaturesManifest } from "./features.ts";
import { fillMissing, regularSeries, type SeriesValue } from "./regular-series.ts";

/** What the manifest of a series model says of its windows. */
export interface SeriesManifest {
  readonly channels: number;
  /** Steps that the model sees. */
  readonly lookback: number;
  /** Steps that it forecasts. */
  readonly horizon: number;
  /** Null: a reading is a step, whenever it was. */
  readonly stepMs: number | null;
  /** Whether it is given the calendar of the look-back and the horizon; only where there is a `stepMs`. */
  readonly calendar: boolean;
  /** Of the training part, per channel: what a window is scaled by. */
  readonly means: readonly number[];
  /** Above 0. */
  readonly deviations: readonly number[];
  /** A window of which more is missing is refused. */
  readonly missingShareMax: number;
}

/**
 * What a series gives to a model: its last `lookback` steps, scaled [lookback, channels], and after them, where the model
 * takes a calendar, its marks [lookback + horizon, marks]. Earlier steps than the series has are missing ones. The failure says
 * how much is missing.
 */
export function windowOf(value: SeriesValue, manifest: SeriesManifest): Result<Float32Array, InputFailure> {
  const { channels, lookback, horizon, stepMs, means, missingShareMax } = manifest;
  const regular = regularSeries(value, { channels, stepMs, steps: lookback });
  if (!regular.ok) return regular;
  const missing = fillMissing(regular.value.values, channels, means);
  if (missing > missingShareMax) {
    return fail({
      message: `lacks ${Math.round(missing * 100)} % of the ${lookback} steps that the model looks at, more than ${Math.round(missingShareMax * 100)} %`,
      mend: "give a longer series, or one with fewer gaps",
    });
  }
  const scaled = scaleWindow(regular.value.values, manifest);
  if (!manifest.calendar || stepMs === null) return succeed(scaled);
  const marks = marksOf(regular.value.startMs as number, stepMs, lookback + horizon);
  const row = new Float32Array(scaled.length + marks.length);
  row.set(scaled);
  row.set(marks, scaled.length);
  return succeed(row);
}

/** [steps, channels], each channel by its mean and deviation. */
export function scaleWindow(
  window: Float64Array,
  { means, deviations }: Pick<SeriesManifest, "means" | "deviations">,
): Float32Array {
  const channels = means.length;
  return Float32Array.from(window, (value, at) => {
    const channel = at % channels;
    return (value - (means[channel] as number)) / (deviations[channel] as number);
  });
}

/** The length of what `windowOf` gives. */
export function windowLength({ channels, lookback, horizon, stepMs, calendar }: SeriesManifest): number {
  return lookback * channels + (calendar ? (lookback + horizon) * calendarMarks(stepMs).length : 0);
}

/** Features of `dlinear`, `nlinear`, `autoformer` and `informer`. */
export function seriesFeatures(given: FeaturesManifest, _files: ArtefactFiles): Features<SeriesValue> {
  const manifest = readSeriesManifest(given);
  return {
    row: (value) => windowOf(value, manifest),
    queryRow: (query) => {
      const value = querySeries(query);
      return value.ok ? windowOf(value.value, manifest) : value;
    },
  };
}

/** Throws `model_damaged`. */
function readSeriesManifest(manifest: FeaturesManifest): SeriesManifest {
  const { channels, lookback, horizon, stepMs, calendar, means, deviations, missingShareMax } = manifest;
  const isCount = (count: unknown) => Number.isSafeInteger(count) && (count as number) > 0;
  const isList = (list: unknown, holds: (value: number) => boolean) =>
    Array.isArray(list) && list.length === channels && list.every((value) => holds(value as number));
  const wrong =
    (!isCount(channels) && "channels") ||
    (!isCount(lookback) && "lookback") ||
    (!isCount(horizon) && "horizon") ||
    (stepMs !== null && !(typeof stepMs === "number" && stepMs > 0) && "stepMs") ||
    ((typeof calendar !== "boolean" || (calendar && stepMs === null)) && "calendar") ||
    (!isList(means, Number.isFinite) && "means") ||
    (!isList(deviations, (value) => value > 0) && "deviations") ||
    (!(typeof missingShareMax === "number" && missingShareMax >= 0) && "missingShareMax");
  if (wrong === false) return manifest as unknown as SeriesManifest;
  throw new MedleyError("model_damaged", `the trained model's manifest.json has no valid ${wrong}`, {
    mend: "take the artefact's folder from a backup, or train the space again",
  });
}

function querySeries(query: unknown): Result<SeriesValue, InputFailure> {
  const { times = null, values } = isObject(query) ? query : { values: query };
  const readings = Array.isArray(values)
    ? values.map((reading: unknown) => (Array.isArray(reading) ? (reading as unknown[]) : [reading]))
    : [];
  const isSeries =
    readings.length > 0 &&
    readings.every((reading) => reading.every((value) => value === null || isFiniteNumber(value))) &&
    (times === null || (Array.isArray(times) && times.every(isFiniteNumber)));
  if (!isSeries) {
    return fail({
      message: "the query is no series",
      mend: 'give {"times": [ms, ...], "values": [[number or null, ...], ...]}, or a list of numbers',
    });
  }
  return succeed({ times: times as number[] | null, values: readings as (number | null)[][] });
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
