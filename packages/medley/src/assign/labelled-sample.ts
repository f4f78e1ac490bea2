import { type Collection, canonicalJson, MedleyError } from "@medley/core";
import type { TrainingRecord } from "@medley/training";
import { type DataFingerprint, FingerprintBuilder, Random, sampleItems } from "@medley/training";
import type { TrainingRecords } from "../train/training-records.ts";
import { type Parted, partRecords } from "./part-records.ts";

/** The records that an assignment looks at, in three parts that share nothing. */
export interface LabelledSample extends Parted {
  /** In all, before the sample was drawn. */
  readonly recordsRead: number;
  readonly fingerprint: DataFingerprint;
}

export interface SampleOptions {
  readonly recordsMax: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** The ids of records that are drawn in any case. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Draws at most `recordsMax` records and parts them. Throws `training_data_invalid`, and `usage` where more are to be kept than may be drawn.
 */
export async function labelledSample(
  records: TrainingRecords,
  collection: Collection,
  { recordsMax, seed, signal, kept }: SampleOptions,
): Promise<LabelledSample> {
  if (kept.size >= recordsMax) {
    throw new MedleyError("usage", `${kept.size} records are judged, of ${recordsMax} that are drawn`, {
      mend: "draw more with --records (and allow more with --memory, if it is bounded), or judge fewer",
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
  const parted = partRecords(sample, collection, seed);
  const builder = new FingerprintBuilder(records.name);
  for (const { id, fields } of parted.records) builder.add(id, canonicalJson(fields));
  return { ...parted, recordsRead, fingerprint: builder.finish() };
}
