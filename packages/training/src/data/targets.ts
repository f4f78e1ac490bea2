import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";

/** A class per row that has one. */
export interface ClassTarget {
  /** In the order of their names, by UTF-16 units; a label is a place in it. */
  readonly classes: readonly string[];
  /** Numbers of the rows that are kept, rising. */
  readonly rows: Int32Array;
  /** Per kept row. */
  readonly labels: Int32Array;
  /** Rows without a class. */
  readonly missing: number;
  /** Classes with too few rows that were left out, and how many rows they had. */
  readonly rare: ReadonlyMap<string, number>;
}

export interface ClassTargetOptions {
  /** Names the target in errors: `films.genre`. */
  readonly name: string;
  /** Fewer rows than this make a class rare. Default 2, so that one can be held out. */
  readonly rowsPerClassMin?: number;
  /** What happens to rare classes. Default `leave_out`. */
  readonly rare?: "leave_out" | "refuse";
}

/**
 * Numbers the classes of a target. Rows without one (null) are left out and counted, and so are those of rare classes unless they are to
 * be refused. Throws `training_data_invalid` where fewer than two classes remain, or a rare one is refused.
 */
export function classTarget(
  values: readonly (string | null)[],
  { name, rowsPerClassMin = 2, rare = "leave_out" }: ClassTargetOptions,
): ClassTarget {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const few = [...counts].filter(([, count]) => count < rowsPerClassMin).sort();
  if (rare === "refuse" && few[0] !== undefined) {
    const [first, count] = few[0];
    throw new MedleyError(
      "training_data_invalid",
      `${name}: ${few.length} classes have fewer than ${rowsPerClassMin} rows, first "${first}" with ${count}`,
      { mend: "give these classes more rows, join them, or let them be left out" },
    );
  }
  const classes = [...counts.keys()].filter((of) => (counts.get(of) as number) >= rowsPerClassMin).sort();
  if (classes.length < 2) {
    const what = classes.length === 1 ? `one class, "${classes[0]}"` : "no class";
    throw new MedleyError(
      "training_data_invalid",
      `${name}: ${values.length} rows have ${what} with at least ${rowsPerClassMin} rows: nothing to tell apart`,
      { mend: "give rows of at least two classes" },
    );
  }
  const labelOf = new Map(classes.map((of, label) => [of, label]));
  const kept = values.flatMap((value, row) => (value !== null && labelOf.has(value) ? [row] : []));
  return {
    classes,
    rows: Int32Array.from(kept),
    labels: Int32Array.from(kept, (row) => labelOf.get(values[row] as string) as number),
    missing: values.filter((value) => value === null).length,
    rare: new Map(few),
  };
}

/**
 * A weight per class that makes classes count the same however many rows they have: rows / (classes · rows of the class), so that the
 * mean over rows is 1 (scikit-learn's `balanced`). Every class has a row.
 */
export function classWeights(
  labels: ArrayLike<number>,
  { classCount }: { readonly classCount: number },
): Float32Array {
  const counts = new Float64Array(classCount);
  for (let row = 0; row < labels.length; row += 1) {
    counts[labels[row] as number] = (counts[labels[row] as number] as number) + 1;
  }
  return Float32Array.from(counts, (count) => {
    assert(count > 0, "every class has a row");
    return labels.length / (classCount * count);
  });
}

/**
 * Checks numbers that are to be predicted: all finite (`checkFinite`), not all the same. Throws `training_data_invalid`.
 */
export function checkNumberTarget(
  values: ArrayLike<number>,
  { name, ids }: { readonly name: string; readonly ids: readonly string[] },
): void {
  checkFinite(values, { name, ids });
  for (let row = 1; row < values.length; row += 1) if (values[row] !== values[0]) return;
  throw new MedleyError(
    "training_data_invalid",
    `${name}: all ${values.length} rows have the same value: nothing to learn`,
    { mend: "choose another target, or rows in which it differs" },
  );
}

/**
 * Throws `training_data_invalid` where a value is NaN or infinite: says in how many rows, names the first. `values` is
 * [rows, n], row-major, n = values / ids.
 */
export function checkFinite(
  values: ArrayLike<number>,
  { name, ids }: { readonly name: string; readonly ids: readonly string[] },
): void {
  assert(ids.length > 0 && values.length % ids.length === 0, "whole rows");
  const perRow = values.length / ids.length;
  const bad = new Set<number>();
  for (let at = 0; at < values.length; at += 1) {
    if (!Number.isFinite(values[at])) bad.add(Math.floor(at / perRow));
  }
  const [first] = bad;
  if (first === undefined) return;
  throw new MedleyError(
    "training_data_invalid",
    `${name}: ${bad.size} of ${ids.length} rows hold NaN or Infinity, first "${ids[first]}"`,
    { mend: "mend these values or leave these rows out" },
  );
}

/** Throws `training_data_invalid` for fewer rows than a training can be made of; none is too few as well. */
export function checkRowCount(
  count: number,
  { name, rowsMin }: { readonly name: string; readonly rowsMin: number },
): void {
  if (count >= rowsMin) return;
  throw new MedleyError(
    "training_data_invalid",
    `${name}: ${count === 0 ? "no rows" : `only ${count} rows`} to train on, at least ${rowsMin} are needed`,
    { mend: "load more records first, or train a smaller model" },
  );
}
