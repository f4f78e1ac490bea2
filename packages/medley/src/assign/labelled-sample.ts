import { type Collection, canonicalJson, identityOf, isLabelTask, MedleyError } from "@medley/core";
import {
  type DataFingerprint,
  FingerprintBuilder,
  type QueryRow,
  Random,
  type Split,
  type SplitRow,
  sampleItems,
  splitRows,
  type Task,
  type TrainingRecord,
} from "@medley/training";
import type { TrainingRecords } from "../train/training-records.ts";
import type { TaskPairs } from "./task-pairs.ts";
import type { TaskQuery } from "./task-queries.ts";

/** The records that an assignment looks at, in three parts that share nothing. */
export interface LabelledSample {
  readonly records: readonly TrainingRecord[];
  /** In all, before the sample was drawn. */
  readonly recordsRead: number;
  readonly split: Split;
  readonly fingerprint: DataFingerprint;
}

const shares = { train: 0.5, validation: 0.25, test: 0.25 };

export interface SampleOptions {
  readonly recordsMax: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** The ids of records that are drawn in any case. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Draws at most `recordsMax` records and parts them, by the classes of the first classification task. Records that say the same but for
 * their ids and labels stay in one part. Throws `training_data_invalid`, and `usage` where more are to be kept than may be drawn.
 */
export async function labelledSample(
  records: TrainingRecords,
  collection: Collection,
  { recordsMax, seed, signal, kept }: SampleOptions,
): Promise<LabelledSample> {
  if (kept.size >= recordsMax) {
    throw new MedleyError("usage", `${kept.size} records are judged, of ${recordsMax} that are drawn`, {
      mend: "draw more with --records, or judge fewer",
    });
  }
  let recordsRead = 0;
  const relevant: TrainingRecord[] = [];
  const others = (async function* () {
    for await (const record of records.read()) {
      recordsRead += 1;
      if (kept.has(record.id)) relevant.push(record);
      else yield record;
    }
  })();
  const itemsMax = recordsMax - kept.size;
  const drawn = await sampleItems(others, { itemsMax, random: new Random(seed), signal });
  const sample = [...relevant, ...drawn];
  signal.throwIfAborted();
  if (sample.length === 0) {
    throw new MedleyError("training_data_invalid", `${records.name} holds no record to measure on`, {
      mend: "name a file of records with --from FILE, or fill the collection first",
    });
  }
  sample.sort((a, b) => (a.id < b.id ? -1 : 1));
  const builder = new FingerprintBuilder();
  for (const { id, fields } of sample) builder.add(id, canonicalJson(fields));
  const labels = new Set(collection.tasks.flatMap((task) => (isLabelTask(task) ? [task.label] : [])));
  const stratum = collection.tasks.flatMap((task) => (task.kind === "classification" ? [task.label] : []))[0];
  const rows = sample.map(({ id, fields }): SplitRow => {
    const said = Object.fromEntries(Object.entries(fields).filter(([name]) => !labels.has(name)));
    const value = stratum === undefined ? null : fields[stratum];
    return { id, group: identityOf(said), class: typeof value === "string" ? value : "" };
  });
  const split = splitRows(rows, { by: "group", shares, seed });
  return { records: sample, recordsRead, split, fingerprint: builder.finish() };
}

/** The collection's tasks with their labels, in the records' order, and their queries, which are rows after the records'. */
export function tasksOf(
  { tasks }: Collection,
  records: readonly TrainingRecord[],
  { queries, pairs }: { readonly queries: readonly TaskQuery[]; readonly pairs: readonly TaskPairs[] },
): readonly Task[] {
  const rowOf = new Map(records.map(({ id }, row) => [id, row]));
  const asked = queries.map((query, at) => ({ ...query, row: records.length + at }));
  const paired = pairs.map((pair) => ({ ...pair, row: rowOf.get(pair.id) ?? null }));
  return tasks.map((task) => {
    const { name } = task;
    if (!isLabelTask(task))
      return { name, kind: task.kind, queries: queryRows(name, [...asked, ...paired], rowOf) };
    const labelIn = ({ fields }: TrainingRecord) => (fields[task.label] ?? null) as string | number | null;
    return { name, kind: task.kind, values: records.map(labelIn) };
  });
}

interface Asked extends TaskPairs {
  readonly row: number | null;
}

/** Of a task's queries those that are there, and to which a record is relevant that is there. */
function queryRows(
  name: string,
  queries: readonly Asked[],
  rowOf: ReadonlyMap<string, number>,
): readonly QueryRow[] {
  return queries.flatMap(({ id, task, grades, row }) => {
    const found = [...grades].flatMap(([record, grade]): [number, number][] => {
      const at = rowOf.get(record);
      return at === undefined || record === id ? [] : [[at, grade]];
    });
    if (task !== name || row === null || !found.some(([, grade]) => grade > 0)) return [];
    return [{ row, self: rowOf.get(id) ?? null, grades: new Map(found) }];
  });
}
