import { type Collection, identityOf, isLabelTask, type Series } from "@medley/core";
import { type Split, type SplitRow, splitRows, type TrainingRecord } from "@medley/training";

/** Records in three parts that share nothing. */
export interface Parted {
  readonly records: readonly TrainingRecord[];
  readonly split: Split;
  /** `time`: what came later tells nothing of what came before. */
  readonly by: "content" | "time";
}

const shares = { train: 0.5, validation: 0.25, test: 0.25 };

/**
 * Where a forecasting's labels have times, the oldest train and the newest test, as one forecasts, and records without such a label are
 * left out: nobody knows on which side they are. Else by the classes of the first classification, and records that say the same but for
 * their ids and labels stay in one part.
 */
export function partRecords(records: readonly TrainingRecord[], { tasks }: Collection, seed: number): Parted {
  const forecast = tasks.find(({ kind }) => kind === "forecasting");
  const label = forecast !== undefined && isLabelTask(forecast) ? forecast.label : null;
  const timed = label === null ? [] : records.filter((record) => spanOf(record, label) !== null);
  if (label !== null && timed.length > 0) {
    const rows = timed.map((record) => ({ id: record.id, timeMs: spanOf(record, label)?.startMs as number }));
    return { records: timed, split: splitRows(rows, { by: "time", shares, seed }), by: "time" };
  }
  const labels = new Set(tasks.flatMap((task) => (isLabelTask(task) ? [task.label] : [])));
  const stratum = tasks.flatMap((task) => (task.kind === "classification" ? [task.label] : []))[0];
  const rows = records.map(({ id, fields }): SplitRow => {
    const said = Object.fromEntries(Object.entries(fields).filter(([name]) => !labels.has(name)));
    const value = stratum === undefined ? null : fields[stratum];
    return { id, group: identityOf(said), class: typeof value === "string" ? value : "" };
  });
  return { records, split: splitRows(rows, { by: "group", shares, seed }), by: "content" };
}

/**
 * The labels of a forecasting. Of records that are parted by time those that reach into the next part are left out: a neighbour would lend
 * what it is asked for.
 */
export function futureValues({ records, split, by }: Parted, label: string): readonly (Series | null)[] {
  const values = records.map(({ fields }) => (fields[label] ?? null) as Series | null);
  if (by === "content") return values;
  for (const [part, next] of [
    [split.train, split.validation],
    [split.validation, split.test],
  ] as const) {
    const starts = Array.from(next, (row) => spanOf(records[row] as TrainingRecord, label)?.startMs);
    const nextMs = starts.reduce<number>(
      (first, startMs) => Math.min(first, startMs ?? first),
      Number.POSITIVE_INFINITY,
    );
    for (const row of part) {
      const span = spanOf(records[row] as TrainingRecord, label);
      if (span !== null && span.endMs >= nextMs) values[row] = null;
    }
  }
  return values;
}

/** From the first reading of a record's series to its last; null where it has none, or no times. */
function spanOf(
  { fields }: TrainingRecord,
  field: string,
): { readonly startMs: number; readonly endMs: number } | null {
  const times = (fields[field] as Series | null | undefined)?.times;
  const [startMs, endMs] = [times?.[0], times?.at(-1)];
  return startMs === undefined || endMs === undefined ? null : { startMs, endMs };
}
