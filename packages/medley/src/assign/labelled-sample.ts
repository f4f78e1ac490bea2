import { type Collection, canonicalJson, identityOf, MedleyError } from "@medley/core";
import {
  type DataFingerprint,
  FingerprintBuilder,
  Random,
  type Split,
  type SplitRow,
  sampleItems,
  splitRows,
  type Task,
  type TrainingRecord,
} from "@medley/training";
import type { TrainingRecords } from "../train/training-records.ts";

/** The records that an assignment looks at, in three parts that share nothing. */
export interface LabelledSample {
  readonly records: readonly TrainingRecord[];
  /** In all, before the sample was drawn. */
  readonly recordsRead: number;
  readonly split: Split;
  readonly fingerprint: DataFingerprint;
}

const shares = { train: 0.5, validation: 0.25, test: 0.25 };

/**
 * Draws at most `recordsMax` records and parts them, by the classes of the first classification task. Records that say the same but for
 * their ids and labels stay in one part. Throws `training_data_invalid`.
 */
export async function labelledSample(
  records: TrainingRecords,
  collection: Collection,
  {
    recordsMax,
    seed,
    signal,
  }: { readonly recordsMax: number; readonly seed: number; readonly signal: AbortSignal },
): Promise<LabelledSample> {
  let recordsRead = 0;
  const counted = (async function* () {
    for await (const record of records.read()) {
      recordsRead += 1;
      yield record;
    }
  })();
  const sample = await sampleItems(counted, { itemsMax: recordsMax, random: new Random(seed), signal });
  signal.throwIfAborted();
  if (sample.length === 0) {
    throw new MedleyError("training_data_invalid", `${records.name} holds no record to measure on`, {
      mend: "name a file of records with --from FILE, or fill the collection first",
    });
  }
  sample.sort((a, b) => (a.id < b.id ? -1 : 1));
  const builder = new FingerprintBuilder();
  for (const { id, fields } of sample) builder.add(id, canonicalJson(fields));
  const labels = new Set(collection.tasks.map(({ label }) => label));
  const stratum = collection.tasks.find(({ kind }) => kind === "classification")?.label;
  const rows = sample.map(({ id, fields }): SplitRow => {
    const said = Object.fromEntries(Object.entries(fields).filter(([name]) => !labels.has(name)));
    const value = stratum === undefined ? null : fields[stratum];
    return { id, group: identityOf(said), class: typeof value === "string" ? value : "" };
  });
  const split = splitRows(rows, { by: "group", shares, seed });
  return { records: sample, recordsRead, split, fingerprint: builder.finish() };
}

/** The collection's tasks with their labels, in the records' order. */
export function tasksOf({ tasks }: Collection, records: readonly TrainingRecord[]): readonly Task[] {
  return tasks.map(({ name, kind, label }) => ({
    name,
    kind,
    values: records.map(({ fields }) => (fields[label] ?? null) as string | number | null),
  }));
}
