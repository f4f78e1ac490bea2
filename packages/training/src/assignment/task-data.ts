import { MedleyError } from "@medley/core";
import type { Split } from "../data/parts.ts";
import { classTarget } from "../data/targets.ts";
import { Random } from "../random.ts";
import type { Folds } from "./cross-fit.ts";
import { type Judge, type JudgedKind, judgeOf } from "./judge.ts";

/** A task, and the values of its label in the records' order; null where a record has none. */
export interface Task {
  readonly name: string;
  readonly kind: JudgedKind;
  readonly values: readonly (string | number | null)[];
}

/** What is known of a task's rows. */
export interface TaskData {
  /** Per record: a class's number, or the number itself; NaN where there is none. */
  readonly labels: Float64Array;
  /** Records with a label. */
  readonly rows: Split;
  /** Of the validation rows. */
  readonly folds: Folds;
  readonly judge: Judge;
}

const foldCount = 5;
/** Of each part: fewer tell nothing. */
const rowsMin = 10;

/** Throws `training_data_invalid` where too few records have a label, or all the same one. */
export function taskDataOf({ name, kind, values }: Task, split: Split, seed: number): TaskData {
  const labels = kind === "classification" ? classesOf(name, values) : Float64Array.from(values, numberOf);
  const labelled = (rows: Int32Array) => rows.filter((row) => !Number.isNaN(labels[row]));
  const rows = {
    train: labelled(split.train),
    validation: labelled(split.validation),
    test: labelled(split.test),
  };
  const fewest = Math.min(rows.train.length, rows.validation.length, rows.test.length);
  if (fewest < rowsMin) {
    throw new MedleyError(
      "training_data_invalid",
      `task ${name}: one of its parts has ${fewest} records with a label, at least ${rowsMin} are needed in each`,
      { mend: "give more records a label, or leave the task out" },
    );
  }
  const random = new Random(seed);
  const folds = Uint8Array.from(rows.validation, (_, at) => at % foldCount);
  random.shuffle(folds);
  return {
    labels,
    rows,
    folds,
    judge: judgeOf(
      kind,
      Float64Array.from(rows.train, (row) => labels[row] as number),
      // Also of classes that no training record has.
      labels.reduce((most, label) => Math.max(most, label + 1 || 0), 0),
    ),
  };
}

function classesOf(name: string, values: Task["values"]): Float64Array {
  const target = classTarget(values as readonly (string | null)[], { name });
  const labels = new Float64Array(values.length).fill(Number.NaN);
  for (const [at, row] of target.rows.entries()) labels[row] = target.labels[at] as number;
  return labels;
}

function numberOf(value: string | number | null): number {
  return value === null ? Number.NaN : Number(value);
}
