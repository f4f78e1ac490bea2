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

/** What a collection's vectors should be good at, for `medley assign` to measure. */
export type TaskDefinition<F extends Fields = Fields> = ClassificationTask<F> | RegressionTask<F>;

/** Of a checked configuration. */
export interface CollectionTask {
  readonly name: string;
  readonly kind: TaskDefinition["kind"];
  /** The field that holds it. */
  readonly label: string;
  /** Spaces that take no part. */
  readonly without: readonly string[];
}

const labelTypes: Record<TaskDefinition["kind"], string> = {
  classification: "category",
  regression: "number",
};

const task = { label: z.string(), without: z.array(z.string()).optional() };

export const taskShape = z.discriminatedUnion("kind", [
  z.strictObject({ ...task, kind: z.literal("classification") }),
  z.strictObject({ ...task, kind: z.literal("regression") }),
]);

interface CollectionNames {
  readonly fields: Readonly<Record<string, string>>;
  readonly spaces: Readonly<Record<string, unknown>>;
}

/** With the mend; the place is the caller's to add. */
export function* taskProblems(
  { kind, label, without = [] }: z.infer<typeof taskShape>,
  { fields, spaces }: CollectionNames,
): Generator<string> {
  const type = Object.hasOwn(fields, label) ? fields[label] : undefined;
  if (type === undefined) yield `label "${label}" does not exist; ${suggestion(label, Object.keys(fields))}`;
  else if (type !== labelTypes[kind]) {
    yield `label "${label}" is ${type}; that of a ${kind} must be a field of type ${labelTypes[kind]}`;
  }
  for (const space of without) {
    if (Object.hasOwn(spaces, space)) continue;
    yield `without: there is no space "${space}"; ${suggestion(space, Object.keys(spaces))}`;
  }
}
