import { type Collection, MedleyError } from "@medley/core";
import {
  assignTask,
  type SpaceChoice,
  spaceChoices,
  type TaskReport,
  type TrainingRecord,
} from "@medley/training";
import type { TrainingRecords } from "../train/training-records.ts";
import { AssignmentFolder } from "./assignment-folder.ts";
import { type Candidate, candidatesOf, takesPart } from "./candidates.ts";
import { type LabelledSample, labelledSample, tasksOf } from "./labelled-sample.ts";
import { type MeasureAllOptions, type Measuring, measureAll } from "./measure-all.ts";

export interface AssignCollectionOptions extends Omit<MeasureAllOptions, "rows" | "sample" | "folder"> {
  readonly records: TrainingRecords;
  readonly recordsMax: number;
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
 * again. After the signal what is done is kept and nothing is judged. Throws `usage` for a collection without tasks or candidates.
 */
export async function assignCollection(options: AssignCollectionOptions): Promise<Assignment> {
  const { collection, lock, records, recordsMax, seed, signal } = options;
  const candidates = candidatesOf(collection, lock);
  checkAssignable(collection, candidates);
  const { records: rows, ...sample } = await labelledSample(records, collection, {
    recordsMax,
    seed,
    signal,
  });
  const folder = AssignmentFolder.of(collection.name, { lock, sample, seed, rowCount: rows.length });
  const contenders = await measureAll(candidates, { ...options, rows, sample, folder });
  const isComplete = contenders.length === candidates.length;
  const tasks = isComplete ? judgeTasks(contenders, { ...options, rows, sample }) : [];
  return {
    ...{ collection, seed, sample, candidates, folder, tasks },
    measured: contenders.length,
    choices: spaceChoices(tasks),
  };
}

function checkAssignable({ name, tasks }: Collection, candidates: readonly Candidate[]): void {
  if (tasks.length === 0) {
    throw new MedleyError("usage", `collection ${name} has no task to measure anything by`, {
      mend: 'add tasks: { NAME: { kind: "classification", label: FIELD } } to the collection',
    });
  }
  for (const task of tasks) {
    if (candidates.some((candidate) => takesPart(candidate, task))) continue;
    throw new MedleyError("usage", `task ${task.name} of collection ${name} has no space to be solved by`, {
      mend: `name fewer spaces in "without", or add one that does not read "${task.label}"`,
    });
  }
}

interface Sampled extends AssignCollectionOptions {
  readonly rows: readonly TrainingRecord[];
  readonly sample: Omit<LabelledSample, "records">;
}

function judgeTasks(
  contenders: readonly Measuring[],
  { collection, seed, rows, sample }: Sampled,
): readonly TaskReport[] {
  return tasksOf(collection, rows).map((task, at) => {
    const configured = collection.tasks[at] as Collection["tasks"][number];
    const taking = contenders.filter((contender) => takesPart(contender, configured));
    return assignTask(taking, { task, split: sample.split }, { seed });
  });
}
