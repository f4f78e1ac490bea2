import { MedleyError, type Series } from "@medley/core";

/** What came after each record, in the records' order. */
export interface ForecastingTask {
  readonly name: string;
  readonly kind: "forecasting";
  readonly ids: readonly string[];
  /** Null where a record has none. */
  readonly values: readonly (Series | null)[];
  /** What it came after; null: levels are lent as they are. */
  readonly pasts: readonly (Series | null)[] | null;
}

export interface FutureTable {
  /** [records, steps, channels], less the record's own level; NaN was not measured. */
  readonly values: Float32Array;
  /** Of a record: steps times channels. */
  readonly width: number;
  readonly channels: number;
}

/** Steps times channels: every record's are held, and of each candidate forecasts of as many. */
const widthMax = 4_096;

/**
 * The futures as a table. A record's level is, per channel, the last reading before. Every reading is a step, whenever it was. Throws
 * `training_data_invalid` where futures differ in their steps or channels, and where they are not of the channels of what came before.
 */
export function futuresOf({ name, ids, values, pasts }: ForecastingTask): FutureTable {
  const shapeOf = ({ values: steps }: Series) => ({ steps: steps.length, channels: steps[0]?.length ?? 0 });
  const first = values.findIndex((value) => value !== null);
  const { steps, channels } = first < 0 ? { steps: 0, channels: 0 } : shapeOf(values[first] as Series);
  const width = steps * channels;
  if (width > widthMax) {
    throw invalid(
      `${name}: its labels have ${steps} steps of ${channels} channels, at most ${widthMax} values are compared`,
      "forecast fewer steps or channels, or take means",
    );
  }
  const table = new Float32Array(values.length * width).fill(Number.NaN);
  for (const [row, value] of values.entries()) {
    if (value === null) continue;
    const own = shapeOf(value);
    if (own.steps !== steps || own.channels !== channels) {
      throw invalid(
        `${name}: the label of record ${ids[first]} has ${steps} steps of ${channels} channels, that of ${ids[row]} ${own.steps} of ${own.channels}`,
        "give every record as many steps and channels, with null for what was not measured",
      );
    }
    const level = levelOf(
      `${name}: record ${ids[row]}`,
      channels,
      pasts === null ? null : { past: pasts[row] ?? null },
    );
    for (const [step, reading] of value.values.entries()) {
      for (const [channel, measured] of reading.entries()) {
        if (measured === null) continue;
        table[row * width + step * channels + channel] = measured - (level[channel] as number);
      }
    }
  }
  return { values: table, width, channels };
}

/** NaN of a channel that was never measured before: on which level it goes on is not known. */
function levelOf(
  record: string,
  channels: number,
  before: { readonly past: Series | null } | null,
): Float64Array {
  if (before === null) return new Float64Array(channels);
  const level = new Float64Array(channels).fill(Number.NaN);
  for (const reading of before.past?.values ?? []) {
    if (reading.length !== channels) {
      throw invalid(
        `${record} has a label of ${channels} channels, and ${reading.length} in what it comes after`,
        "give both the same channels, or leave `after` out of the task",
      );
    }
    for (const [channel, measured] of reading.entries()) if (measured !== null) level[channel] = measured;
  }
  return level;
}

function invalid(what: string, mend: string): MedleyError {
  return new MedleyError("training_data_invalid", `task ${what}`, { mend });
}
