import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** Steps of a window: a week. */
export const lookback = 168;
/** Steps that are forecast: a day. */
export const horizon = 24;
/** Load at three levels, useful and useless each, and the oil's temperature. */
export const channels = 7;
/** The oil's, among the channels. */
export const oil = 6;

const hoursPerMonth = 30 * 24;
/** As the papers cut these data: 16 months to learn and to choose from, four to ask about. */
const heldOutFrom = 16 * hoursPerMonth;
const heldOutTo = 20 * hoursPerMonth;
/** A window ends with each day, at midnight. */
const hoursBetween = 24;

export interface Readings {
  /** Milliseconds since 1970. */
  readonly times: readonly number[];
  /** [steps][channels]. */
  readonly values: readonly (readonly number[])[];
}

export interface Window {
  /** The hour that follows it. */
  readonly id: string;
  readonly part: "known" | "held out";
  readonly readings: Readings;
  /** By mean and deviation of each channel in the months that are known: [lookback × channels]. */
  readonly scaled: readonly number[];
  /** The day after it. */
  readonly following: Readings;
  /** The same, scaled alike: [horizon × channels]. */
  readonly next: readonly number[];
}

export interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

/** Two years of a transformer, hour by hour, those that are asked about included and what comes later left out. */
export function readReadings(): Readings {
  const lines = gunzipSync(readFileSync(new URL("ETTh1.csv.gz", import.meta.url)))
    .toString()
    .trim()
    .split("\n")
    .slice(1, heldOutTo + 1);
  const rows = lines.map((line) => line.split(","));
  return {
    times: rows.map(([date]) => Date.parse(`${(date as string).replace(" ", "T")}Z`)),
    values: rows.map(([, ...readings]) => readings.map(Number)),
  };
}

/** Of each channel, by the known months alone. */
export function scalesOf({ values }: Readings): Scale[] {
  return Array.from({ length: channels }, (_, channel) => {
    const own = values.slice(0, heldOutFrom).map((reading) => reading[channel] as number);
    const mean = meanOf(own);
    return { mean, deviation: Math.sqrt(meanOf(own.map((value) => (value - mean) ** 2))) };
  });
}

/** A week per day. The day after a known one is known as well. */
export function windowsOf(readings: Readings): Window[] {
  const scales = scalesOf(readings);
  const scaled = readings.values.map((reading) =>
    reading.map((value, channel) => {
      const { mean, deviation } = scales[channel] as Scale;
      return (value - mean) / deviation;
    }),
  );
  const hours = (from: number, to: number): Readings => ({
    times: readings.times.slice(from, to),
    values: readings.values.slice(from, to),
  });
  const windowAt = (end: number, part: Window["part"]): Window => ({
    id: new Date(readings.times[end] as number).toISOString().slice(0, 13),
    part,
    readings: hours(end - lookback, end),
    scaled: scaled.slice(end - lookback, end).flat(),
    following: hours(end, end + horizon),
    next: scaled.slice(end, end + horizon).flat(),
  });
  return [
    ...ends(lookback, heldOutFrom).map((end) => windowAt(end, "known")),
    ...ends(heldOutFrom, heldOutTo).map((end) => windowAt(end, "held out")),
  ];
}

function ends(from: number, to: number): number[] {
  const count = Math.floor((to - horizon - from) / hoursBetween) + 1;
  return Array.from({ length: count }, (_, at) => from + at * hoursBetween);
}

function meanOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}
