import { dirname, join } from "node:path";
import { type Collection, identityOf, isLabelTask, MedleyError } from "@medley/core";
import {
  assignTask,
  type Contender,
  type SpaceChoice,
  spaceChoices,
  type TaskReport,
  type TrainingRecord,
} from "@medley/training";
import { relevantIds } from "../evaluate/judged-query.ts";
import type { TrainingRecords } from "../train/training-records.ts";
import { AssignmentFolder } from "./assignment-folder.ts";
import { type Candidate, candidatesOf, takesPart } from "./candidates.ts";
import { type LabelledSample, labelledSample, tasksOf } from "./labelled-sample.ts";
import { type MeasureOptions, measureCandidate } from "./measure-candidate.ts";
import { type TaskPairs, taskPairs } from "./task-pairs.ts";
import { type TaskQuery, taskQueries } from "./task-queries.ts";

export interface AssignCollectionOptions
  extends Pick<
    MeasureOptions,
    "collection" | "lock" | "environment" | "seed" | "threads" | "device" | "signal"
  > {
  readonly records: TrainingRecords;
  readonly recordsMax: number;
  /** `candidate` says which of how many: `2 of 5, plot: words`. */
  readonly onProgress: (candidate: string, progress: Parameters<MeasureOptions["onProgress"]>[0]) => void;
}

/** What an assignment found out. */
export interface Assignment {
  readonly collection: Collection;
  readonly seed: number;
  readonly sample: Omit<LabelledSample, "records">;
  readonly candidates: readonly Candidate[];
  /** Of how many of the candidates there are figures; the rest is missing where it was ended early. */
  readonly measured: number;
  readonly folder: AssignmentFolder;
  /** Empty where it was ended early. */
  readonly tasks: readonly TaskReport[];
  readonly choices: readonly SpaceChoice[];
}

/**
 * Measures every candidate of a collection on its tasks. Candidates that were measured before on the same records are not measured
 * again. After the signal what is done is kept and nothing is judged. Throws `usage` for a collection without tasks or candidates, or with
 * judgements that can't be read.
 */
export async function assignCollection(options: AssignCollectionOptions): Promise<Assignment> {
  const { collection, lock, records, recordsMax, seed, signal } = options;
  const candidates = candidatesOf(collection, lock);
  const directory = dirname(lock.file as string);
  const queries = await taskQueries(collection, { directory, seed });
  const pairs = await taskPairs(collection, { directory, seed });
  checkAssignable(collection, candidates, queries);
  const kept = new Set([...relevantIds([...queries, ...pairs]), ...pairs.map(({ id }) => id)]);
  const drawing = { recordsMax, seed, signal, kept };
  const { records: rows, ...sample } = await labelledSample(records, collection, drawing);
  const known = {
    ...{ data: sample.fingerprint.sha256, train: [...sample.split.train], seed },
    queries: queries.map(({ text, parts }) => ({ text, parts })),
  };
  const id = `${collection.name}-${identityOf(known).slice(0, 8)}`;
  const rowCount = rows.length + queries.length;
  const folder = new AssignmentFolder(join(directory, "runs"), { id, rowCount });
  const contenders = await measureAll(candidates, { ...options, rows, queries, pairs, sample, folder });
  const isComplete = contenders.length === candidates.length;
  const tasks = isComplete ? judgeTasks(contenders, { ...options, rows, queries, pairs, sample }) : [];
  return {
    ...{ collection, seed, sample, candidates, folder, tasks },
    measured: contenders.length,
    choices: spaceChoices(tasks),
  };
}

function checkAssignable(
  { name, tasks }: Collection,
  candidates: readonly Candidate[],
  queries: readonly TaskQuery[],
): void {
  if (tasks.length === 0) {
    throw new MedleyError("usage", `collection ${name} has no task to measure anything by`, {
      mend: 'add tasks: { NAME: { kind: "classification", label: FIELD } } to the collection; docs/ASSIGNMENT.md has the other kinds',
    });
  }
  for (const task of tasks) {
    if (candidates.some((candidate) => takesPart(candidate, task, queries))) continue;
    const wanted = isLabelTask(task) ? `that does not read "${task.label}"` : "that its queries speak of";
    throw new MedleyError("usage", `task ${task.name} of collection ${name} has no space to be solved by`, {
      mend: `name fewer spaces in "without", or add one ${wanted}`,
    });
  }
}

interface Sampled extends AssignCollectionOptions {
  readonly rows: readonly TrainingRecord[];
  readonly queries: readonly TaskQuery[];
  readonly pairs: readonly TaskPairs[];
  readonly sample: Omit<LabelledSample, "records">;
}

type Measuring = Candidate & Contender;

/** In the order of the configuration, until the signal. */
async function measureAll(
  candidates: readonly Candidate[],
  options: Sampled & { readonly folder: AssignmentFolder },
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
      const given = { ...options, records: rows, train, folder: folder.path, onProgress };
      try {
        measured = await measureCandidate(candidate, given);
      } catch (error) {
        // A training that was cut short may fail for having read too little.
        if (signal.aborted) return done;
        throw error;
      }
      await folder.keep(key, measured);
    }
    done.push({ ...candidate, ...measured, candidate: name });
  }
  return done;
}

function judgeTasks(
  contenders: readonly Measuring[],
  { collection, seed, rows, queries, pairs, sample }: Sampled,
): readonly TaskReport[] {
  return tasksOf(collection, rows, { queries, pairs }).map((task, at) => {
    const configured = collection.tasks[at] as Collection["tasks"][number];
    const taking = contenders.filter((contender) => takesPart(contender, configured, queries));
    return assignTask(taking, { task, split: sample.split }, { seed });
  });
}
