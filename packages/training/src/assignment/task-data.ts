import { MedleyError, Random } from "@medley/core";
import type { Split } from "../data/parts.ts";
import { classTarget } from "../data/targets.ts";
import type { Folds } from "./cross-fit.ts";
import { forecastingJudge } from "./forecasting-judge.ts";
import { type ForecastingTask, futuresOf } from "./futures.ts";
import { type Judge, judgeOf, type LabelKind } from "./judge.ts";
import { type QueryRow, rankingJudge } from "./ranking-judge.ts";

/** The values of a label in the records' order; null where a record has none. */
export interface LabelTask {
  readonly name: string;
  readonly kind: LabelKind;
  readonly values: readonly (string | number | null)[];
}

/**
 * Queries and what is relevant to them. Of a retrieval they are rows of the tables after those of all records, of pairs they are records
 * themselves.
 */
export interface RankingTask {
  readonly name: string;
  readonly kind: "retrieval" | "pairs";
  readonly queries: readonly QueryRow[];
}

export type Task = LabelTask | ForecastingTask | RankingTask;

/** What is known of a task's rows. */
export interface TaskData {
  /** Per row: a class's number, the number itself, a query's, or that of a row with a future; NaN where there is none. */
  readonly labels: Float64Array;
  /** Those with a label. Of a retrieval the known ones are all records, the others queries. */
  readonly rows: Split;
  /** Of a query's row; null where it is of none. */
  readonly classOf: (row: number) => string | null;
  /** How many records have a label, or queries are judged. */
  readonly labelled: number;
  /** Of the validation rows. */
  readonly folds: Folds;
  readonly judge: Judge;
}

const foldCount = 5;
/** Of each part: fewer tell nothing. */
const rowsMin = 10;

/** Throws `training_data_invalid` where too few records have a label, or all the same one, or there are too few queries. */
export function taskDataOf(task: Task, split: Split, seed: number): TaskData {
  if ("queries" in task) return rankingData(task, split, seed);
  return task.kind === "forecasting" ? forecastingData(task, split, seed) : labelData(task, split, seed);
}

/** Half of the queries choose, the other half confirms. */
function rankingData({ name, queries }: RankingTask, split: Split, seed: number): TaskData {
  const records = split.train.length + split.validation.length + split.test.length;
  const random = new Random(seed);
  const numbers = random.shuffle([...queries.keys()]);
  const half = Math.ceil(numbers.length / 2);
  if (numbers.length - half < rowsMin) {
    throw new MedleyError(
      "training_data_invalid",
      `task ${name}: ${numbers.length} of its queries have a relevant record here, at least ${2 * rowsMin} are needed`,
      { mend: "give it more queries or pairs, or leave it out" },
    );
  }
  const labels = new Float64Array(queries.reduce((most, { row }) => Math.max(most, row + 1), 0));
  labels.fill(Number.NaN);
  for (const [number, { row }] of queries.entries()) labels[row] = number;
  const rowsOf = (some: readonly number[]) =>
    Int32Array.from(some, (number) => queries[number]?.row as number).sort();
  const rows = {
    train: Int32Array.from({ length: records }, (_, row) => row),
    validation: rowsOf(numbers.slice(0, half)),
    test: rowsOf(numbers.slice(half)),
  };
  return {
    ...{ labels, rows, labelled: queries.length },
    classOf: (row) => queries[labels[row] as number]?.class ?? null,
    folds: foldsOf(rows.validation, random),
    judge: rankingJudge(queries, records),
  };
}

function foldsOf(rows: Int32Array, random: Random): Folds {
  return random.shuffle(Uint8Array.from(rows, (_, at) => at % foldCount));
}

function labelData({ name, kind, values }: LabelTask, split: Split, seed: number): TaskData {
  const labels = kind === "classification" ? classesOf(name, values) : Float64Array.from(values, numberOf);
  const known = labelledRows(name, labels, split);
  return {
    ...{ ...known, labels, folds: foldsOf(known.rows.validation, new Random(seed)) },
    judge: judgeOf(
      kind,
      Float64Array.from(known.rows.train, (row) => labels[row] as number),
      // Also of classes that no training record has.
      labels.reduce((most, label) => Math.max(most, label + 1 || 0), 0),
    ),
  };
}

function forecastingData(task: ForecastingTask, split: Split, seed: number): TaskData {
  const futures = futuresOf(task);
  const { values, width } = futures;
  const isKnown = (row: number) =>
    values.subarray(row * width, (row + 1) * width).some((value) => !Number.isNaN(value));
  const labels = Float64Array.from(task.values, (_, row) => (isKnown(row) ? row : Number.NaN));
  const known = labelledRows(task.name, labels, split);
  return {
    ...{ ...known, labels, folds: foldsOf(known.rows.validation, new Random(seed)) },
    judge: forecastingJudge(futures, known.rows.train),
  };
}

function labelledRows(
  name: string,
  labels: Float64Array,
  split: Split,
): Pick<TaskData, "rows" | "labelled" | "classOf"> {
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
  return {
    rows,
    classOf: () => null,
    labelled: rows.train.length + rows.validation.length + rows.test.length,
  };
}

function classesOf(name: string, values: LabelTask["values"]): Float64Array {
  const target = classTarget(values as readonly (string | null)[], { name });
  const labels = new Float64Array(values.length).fill(Number.NaN);
  for (const [at, row] of target.rows.entries()) labels[row] = target.labels[at] as number;
  return labels;
}

function numberOf(value: string | number | null): number {
  return value === null ? Number.NaN : Number(value);
}
