import { expectedCalibrationError } from "../evaluation/calibration.ts";
import { classReport, mostProbable } from "../evaluation/classification.ts";
import { probabilitiesOf } from "./classifier-head.ts";

/** How good a classifier is on some rows. */
export interface ClassifierEvaluation {
  readonly accuracy: number;
  readonly macroF1: number;
  /** Expected calibration error of the probabilities at the temperature (Guo et al. 2017). */
  readonly calibrationError: number;
  /** [classes, classes], row-major: rows are the truth, columns what was predicted. */
  readonly confusion: Int32Array;
  /** Per row: whether it was right. For paired comparisons. */
  readonly hits: Uint8Array;
}

/** `logits`: [rows, classes]. */
export function evaluateClassifier(
  logits: Float64Array,
  labels: ArrayLike<number>,
  { classCount, temperature }: { readonly classCount: number; readonly temperature: number },
): ClassifierEvaluation {
  const probabilities = probabilitiesOf(logits, { classCount, temperature });
  const predicted = mostProbable(probabilities, { classCount });
  const { accuracy, macroF1, confusion } = classReport(labels, predicted, { classCount });
  return {
    ...{ accuracy, macroF1, confusion },
    calibrationError: expectedCalibrationError(labels, probabilities, { classCount }),
    hits: Uint8Array.from(predicted, (of, row) => (of === labels[row] ? 1 : 0)),
  };
}

/** By name, under the part of the data: `test/accuracy`. */
export function metricsOfEvaluation(part: string, evaluation: ClassifierEvaluation): Record<string, number> {
  const { accuracy, macroF1, calibrationError } = evaluation;
  return {
    [`${part}/accuracy`]: accuracy,
    [`${part}/macro_f1`]: macroF1,
    [`${part}/calibration_error`]: calibrationError,
  };
}
