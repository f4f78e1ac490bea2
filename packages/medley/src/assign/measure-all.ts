import { strict as assert } from "node:assert";
import type { Contender, TrainingRecord } from "@medley/training";
import type { AssignmentFolder } from "./assignment-folder.ts";
import type { Candidate } from "./candidates.ts";
import type { LabelledSample } from "./labelled-sample.ts";
import { type MeasureOptions, measureCandidate } from "./measure-candidate.ts";
import type { TaskQuery } from "./task-queries.ts";

export interface MeasureAllOptions
  extends Pick<
    MeasureOptions,
    "collection" | "lock" | "environment" | "seed" | "threads" | "device" | "signal"
  > {
  readonly rows: readonly TrainingRecord[];
  /** They are encoded after the rows. */
  readonly queries: readonly TaskQuery[];
  readonly sample: Omit<LabelledSample, "records">;
  readonly folder: AssignmentFolder;
  /** How many of the threads a candidate is measured by. Default: all. */
  readonly threadsOf?: (candidate: Candidate) => number;
  /** `candidate` says which of how many: `2 of 5, plot: words`. */
  readonly onProgress: (candidate: string, progress: Parameters<MeasureOptions["onProgress"]>[0]) => void;
}

export type Measuring = Candidate & Contender;

/** In the order of the configuration, until the signal. What the folder has is not measured again. */
export async function measureAll(
  candidates: readonly Candidate[],
  options: MeasureAllOptions,
): Promise<readonly Measuring[]> {
  const { rows, sample, folder, signal } = options;
  const train = Array.from(sample.split.train, (row) => rows[row] as TrainingRecord);
  const done: Measuring[] = [];
  for (const [at, candidate] of candidates.entries()) {
    const { key, name, space } = candidate;
    let measured = await folder.measured(key);
    if (measured === null) {
      if (signal.aborted) return done;
      const onProgress: MeasureOptions["onProgress"] = (progress) =>
        options.onProgress(`${at + 1} of ${candidates.length}, ${space}: ${name}`, progress);
      const threads = options.threadsOf?.(candidate) ?? options.threads;
      const reads = candidate.reads.map((read) => done.find((one) => one.key === read)?.readTable());
      assert(
        reads.every((table) => table !== undefined),
        "what it reads is measured before it",
      );
      const given = { ...options, threads, records: rows, train, reads, folder: folder.path, onProgress };
      try {
        measured = await folder.keep(key, await measureCandidate(candidate, given));
      } catch (error) {
        // A training that was cut short may fail for having read too little.
        if (signal.aborted) return done;
        throw error;
      }
    }
    done.push({ ...candidate, ...measured, candidate: name });
  }
  return done;
}
