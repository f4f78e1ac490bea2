import { dirname } from "node:path";
import { type Collection, isLabelTask, MedleyError } from "@medley/core";
import {
  assignTask,
  type SpaceChoice,
  spaceChoices,
  type TaskReport,
  type TrainingRecord,
} from "@medley/training";
import { relevantIds } from "../evaluate/judged-query.ts";
import type { TrainingRecords } from "../train/training-records.ts";
import { AssignmentFolder } from "./assignment-folder.ts";
import { type Candidate, candidatesOf, takesPart } from "./candidates.ts";
import { type LabelledSample, labelledSample } from "./labelled-sample.ts";
import { type MeasureAllOptions, type Measuring, measureAll } from "./measure-all.ts";
import { MemoryBudget, type Skipped } from "./memory-budget.ts";
import { tasksOf } from "./sampled-tasks.ts";
import { type TaskPairs, taskPairs } from "./task-pairs.ts";
import { type TaskQuery, taskQueries } from "./task-queries.ts";

export interface AssignCollectionOptions
  extends Omit<MeasureAllOptions, "rows" | "queries" | "sample" | "folder" | "threadsOf"> {
  readonly records: TrainingRecords;
  readonly recordsMax: number;
  /** Default: no bound. */
  readonly memoryBytesMax?: number;
}

/** What an assignment found out. */
export interface Assignment {
  readonly collection: Collection;
  readonly seed: number;
  readonly sample: Omit<LabelledSample, "records">;
  /** The most that were asked for; fewer are drawn where the memory is bounded. */
  readonly recordsAsked: number;
  readonly recordsMax: number;
  readonly candidates: readonly Candidate[];
  /** Of how many of the candidates there are figures. */
  readonly measured: number;
  /** What the memory does not allow. */
  readonly skipped: readonly Skipped[];
  /** Whether it came to an end. */
  readonly isComplete: boolean;
  readonly folder: AssignmentFolder;
  /** Empty where it was ended early. */
  readonly tasks: readonly TaskReport[];
  readonly choices: readonly SpaceChoice[];
}

/**
 * Measures every candidate of a collection on its tasks. Candidates that were measured before on the same records are not measured
 * again. After the signal what is done is kept and nothing is judged. Throws `usage` for a collection without tasks or candidates, or with
 * judgements that can't be read, and where the memory is too little for any of it.
 */
export async function assignCollection(options: AssignCollectionOptions): Promise<Assignment> {
  const { collection, lock, records, seed, signal, memoryBytesMax = null } = options;
  const candidates = candidatesOf(collection, lock);
  const directory = dirname(lock.file as string);
  const queries = await taskQueries(collection, { directory, seed });
  const pairs = await taskPairs(collection, { directory, seed });
  checkAssignable(collection, candidates, queries);
  const budget = await MemoryBudget.of(memoryBytesMax, candidates, options);
  const recordsMax = budget.recordsMax(options.recordsMax, { queries: queries.length + pairs.length });
  const kept = new Set([...relevantIds([...queries, ...pairs]), ...pairs.map(({ id }) => id)]);
  const drawing = { recordsMax, seed, signal, kept };
  const { records: rows, ...sample } = await labelledSample(records, collection, drawing);
  const { train } = sample.split;
  const sampled = { records: rows, train: train.length, queries: queries.length };
  const { fitting, skipped } = budget.partition(candidates, sampled);
  if (skipped.length > 0) checkAssignable(collection, fitting, queries);
  const rowCount = rows.length + queries.length;
  const folder = AssignmentFolder.of(collection.name, { lock, sample, seed, queries, rowCount });
  const threadsOf = (candidate: Candidate) => budget.threadsOf(candidate, sampled, options.threads);
  const contenders = await measureAll(fitting, { ...options, rows, queries, sample, folder, threadsOf });
  const isComplete = contenders.length === fitting.length;
  const tasks = isComplete ? judgeTasks(contenders, { ...options, rows, queries, pairs, sample }) : [];
  return {
    ...{ collection, seed, sample, candidates, folder, tasks, skipped, isComplete },
    ...{ recordsAsked: options.recordsMax, recordsMax, measured: contenders.length },
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
      mend: `name fewer spaces in "without", add one ${wanted}, or give more --memory`,
    });
  }
}

interface Sampled extends AssignCollectionOptions {
  readonly rows: readonly TrainingRecord[];
  readonly queries: readonly TaskQuery[];
  readonly pairs: readonly TaskPairs[];
  readonly sample: Omit<LabelledSample, "records">;
}

function judgeTasks(
  contenders: readonly Measuring[],
  { collection, seed, rows, queries, pairs, sample }: Sampled,
): readonly TaskReport[] {
  return tasksOf(collection, { ...sample, records: rows }, { queries, pairs }).map((task, at) => {
    const configured = collection.tasks[at] as Collection["tasks"][number];
    const taking = contenders.filter((contender) => takesPart(contender, configured, queries));
    return assignTask(taking, { task, split: sample.split }, { seed });
  });
}
