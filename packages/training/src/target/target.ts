import { strict as assert } from "node:assert";
import { checkNumberTarget, classTarget } from "../data/targets.ts";
import { crossEntropy, meanSquaredError, type Value } from "../engine/index.ts";
import { classReport } from "../evaluation/classification.ts";
import * as regression from "../evaluation/regression.ts";

/** What a row is to be predicted to have: a class, or a number; null: nothing is known. */
export type TargetValue = string | number | null;

/** A target as a network learns it. Rows are those that have one. */
export interface Target {
  /** Numbers of the rows that are kept, rising. */
  readonly rows: Int32Array;
  /** Numbers that the network gives per row. */
  readonly outputs: number;
  /** Of a kept row, by its place in `rows`; undefined for a number. */
  readonly classOf: (place: number) => string | undefined;
  /** What the network's outputs are compared with: [places, outputs]. */
  readonly tensor: (places: Int32Array) => Float32Array;
  readonly loss: (predicted: Value, actual: Value) => Value;
  /** Figures of outputs, [places, outputs], in the target's own units. */
  readonly report: (outputs: Float32Array, places: Int32Array) => Record<string, number>;
}

/**
 * Texts are classes, learned by cross-entropy; numbers are brought to mean 0 and deviation 1 over the kept rows, and learned by
 * squared error. Classes of a single row are left out. Throws `training_data_invalid`, naming the target, where there is nothing to
 * tell apart, or a number is not finite.
 */
export function targetOf(values: readonly TargetValue[], { name }: { readonly name: string }): Target {
  const numbers = values.flatMap((value, row) => (typeof value === "number" ? [row] : []));
  if (numbers.length === 0) return classes(values as readonly (string | null)[], name);
  const known = values.filter((value) => value !== null).length;
  assert.equal(numbers.length, known, "a target is of classes or of numbers");
  return numberTarget(
    Float64Array.from(numbers, (row) => values[row] as number),
    Int32Array.from(numbers),
    name,
  );
}

function classes(values: readonly (string | null)[], name: string): Target {
  const { classes: names, rows, labels } = classTarget(values, { name });
  const classCount = names.length;
  const labelsOf = (places: Int32Array) => places.map((place) => labels[place] as number);
  return {
    rows,
    outputs: classCount,
    classOf: (place) => names[labels[place] as number] as string,
    tensor: (places) => {
      const oneHot = new Float32Array(places.length * classCount);
      for (const [at, label] of labelsOf(places).entries()) oneHot[at * classCount + label] = 1;
      return oneHot;
    },
    loss: crossEntropy,
    report: (logits, places) => {
      const predicted = places.map((_, at) => {
        const row = logits.subarray(at * classCount, (at + 1) * classCount);
        return row.indexOf(Math.max(...row));
      });
      const { accuracy, macroF1 } = classReport(labelsOf(places), predicted, { classCount });
      return { accuracy, "macro-f1": macroF1 };
    },
  };
}

function numberTarget(values: Float64Array, rows: Int32Array, name: string): Target {
  checkNumberTarget(values, { name, ids: Array.from(rows, String) });
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  const deviation = Math.sqrt(variance);
  return {
    rows,
    outputs: 1,
    classOf: () => undefined,
    tensor: (places) => Float32Array.from(places, (place) => ((values[place] as number) - mean) / deviation),
    loss: meanSquaredError,
    report: (outputs, places) => {
      const truth = Float64Array.from(places, (place) => values[place] as number);
      const predicted = Float64Array.from(outputs, (value) => value * deviation + mean);
      return {
        mse: regression.meanSquaredError(truth, predicted),
        mae: regression.meanAbsoluteError(truth, predicted),
      };
    },
  };
}
