import { z } from "zod";
import { suggestion } from "../closest.ts";
import type { Fields } from "../fields.ts";
import type { FieldOf } from "./definition.ts";

interface Task {
  /** Spaces that are not to be used for it: those that know the answer, such as a space of the very label. */
  readonly without?: readonly string[];
}

/** Records near a record tell its class: by the votes of its nearest neighbours. */
export interface ClassificationTask<F extends Fields> extends Task {
  readonly kind: "classification";
  /** Records without one are left out. */
  readonly label: FieldOf<F, "category">;
}

/** Records near a record tell a number of it: by the mean over its nearest neighbours. */
export interface RegressionTask<F extends Fields> extends Task {
  readonly kind: "regression";
  readonly label: FieldOf<F, "number">;
}

/** Records near a record tell what comes after it: by the mean of what came after its nearest neighbours. */
export interface ForecastingTask<F extends Fields> extends Task {
  readonly kind: "forecasting";
  /** The series that came after, of as many steps and channels in every record. Records without one are left out. */
  readonly label: FieldOf<F, "series">;
  /**
   * The series that it comes after. Neighbours then lend how theirs went on from its last readings, and not the level that they were at.
   * Default: levels are lent as they are.
   */
  readonly after?: FieldOf<F, "series">;
}

/** Queries find the records that were judged to be relevant to them. */
export interface RetrievalTask extends Task {
  readonly kind: "retrieval";
  /** A folder in BEIR's format, with queries.jsonl and qrels/SPLIT.tsv; relative to the configuration. */
  readonly judgements: string;
  /** Which judgements. Default "test". */
  readonly split?: string;
}

/** Records find those that belong to them: what was clicked, bought or read after a record. */
export interface PairsTask extends Task {
  readonly kind: "pairs";
  /** A file of `{"id", "other", "grade"}`; relative to the configuration. */
  readonly pairs: string;
}

/** What a collection's vectors should be good at, for `medley assign` to measure. */
export type TaskDefinition<F extends Fields = Fields> =
  | ClassificationTask<F>
  | RegressionTask<F>
  | ForecastingTask<F>
  | RetrievalTask
  | PairsTask;

interface CheckedTask {
  readonly name: string;
  /** Spaces that take no part. */
  readonly without: readonly string[];
}

export interface CollectionLabelTask extends CheckedTask {
  readonly kind: "classification" | "regression";
  /** The field that holds it. */
  readonly label: string;
}

export interface CollectionForecastingTask extends CheckedTask {
  readonly kind: "forecasting";
  readonly label: string;
  readonly after: string | null;
}

export interface CollectionRetrievalTask extends CheckedTask {
  readonly kind: "retrieval";
  readonly judgements: string;
  readonly split: string;
}

export interface CollectionPairsTask extends CheckedTask {
  readonly kind: "pairs";
  readonly pairs: string;
}

/** Of a checked configuration. */
export type CollectionTask =
  | CollectionLabelTask
  | CollectionForecastingTask
  | CollectionRetrievalTask
  | CollectionPairsTask;

type LabelKind = (CollectionLabelTask | CollectionForecastingTask)["kind"];

/** Whether it is of the field `label`; else of judgements that stand in files. */
export function isLabelTask<T extends { readonly kind: string }>(
  task: T,
): task is Extract<T, { kind: LabelKind }> {
  return Object.hasOwn(labelTypes, task.kind);
}

const labelTypes: Record<LabelKind, string> = {
  classification: "category",
  regression: "number",
  forecasting: "series",
};

const without = z.array(z.string()).optional();

export const taskShape = z.discriminatedUnion("kind", [
  z.strictObject({ label: z.string(), without, kind: z.literal("classification") }),
  z.strictObject({ label: z.string(), without, kind: z.literal("regression") }),
  z.strictObject({
    ...{ label: z.string(), after: z.string().optional(), without },
    kind: z.literal("forecasting"),
  }),
  z.strictObject({
    ...{ judgements: z.string().min(1), split: z.string().min(1).optional(), without },
    kind: z.literal("retrieval"),
  }),
  z.strictObject({ pairs: z.string().min(1), without, kind: z.literal("pairs") }),
]);

interface CollectionNames {
  readonly fields: Readonly<Record<string, string>>;
  readonly spaces: Readonly<Record<string, unknown>>;
}

/** With the mend; the place is the caller's to add. */
export function* taskProblems(
  task: z.infer<typeof taskShape>,
  { fields, spaces }: CollectionNames,
): Generator<string> {
  if (isLabelTask(task)) yield* fieldProblems("label", task.label, { kind: task.kind, fields });
  if (task.kind === "forecasting" && task.after !== undefined) {
    yield* fieldProblems("after", task.after, { kind: task.kind, fields });
    if (task.after === task.label)
      yield `after "${task.after}" is the label itself; name what came before it`;
  }
  for (const space of task.without ?? []) {
    if (Object.hasOwn(spaces, space)) continue;
    yield `without: there is no space "${space}"; ${suggestion(space, Object.keys(spaces))}`;
  }
}

function* fieldProblems(
  key: "label" | "after",
  name: string,
  { kind, fields }: { readonly kind: LabelKind; readonly fields: CollectionNames["fields"] },
): Generator<string> {
  const type = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (type === undefined) yield `${key} "${name}" does not exist; ${suggestion(name, Object.keys(fields))}`;
  else if (type !== labelTypes[kind]) {
    yield `${key} "${name}" is ${type}; that of a ${kind} must be a field of type ${labelTypes[kind]}`;
  }
}

export function taskOf(name: string, task: z.infer<typeof taskShape>): CollectionTask {
  const checked = { name, without: Object.freeze(task.without ?? []) };
  switch (task.kind) {
    case "retrieval":
      return Object.freeze({
        ...{ ...checked, kind: task.kind },
        ...{ judgements: task.judgements, split: task.split ?? "test" },
      });
    case "pairs":
      return Object.freeze({ ...checked, kind: task.kind, pairs: task.pairs });
    case "forecasting":
      return Object.freeze({
        ...checked,
        ...{ kind: task.kind, label: task.label, after: task.after ?? null },
      });
    default:
      return Object.freeze({ ...checked, kind: task.kind, label: task.label });
  }
}
