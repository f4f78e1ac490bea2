import { MedleyError } from "@medley/core";
import { classReport, mostProbable } from "../evaluation/classification.ts";
import { fitLogisticRegression } from "../evaluation/logistic-regression.ts";
import {
  type ClassifierHead,
  fitTemperature,
  headLogitsOf,
  headOfRegression,
  negativeLogLikelihood,
} from "./classifier-head.ts";

/** Unit vectors [rows, dimensions] and the class of each. */
export interface LabelledVectors {
  readonly vectors: Float32Array;
  readonly labels: ArrayLike<number>;
}

/** A classifier, and how it does on the validation rows. */
export interface JudgedHead {
  readonly head: ClassifierHead;
  /** Of its probabilities, fitted on the validation rows (`fitTemperature`). */
  readonly temperature: number;
  /** [rows, classes] of the validation rows. */
  readonly logits: Float64Array;
  /** `loss`: mean of -ln P(truth) at the temperature, so that being too sure does not count against a model. */
  readonly validation: { readonly accuracy: number; readonly macroF1: number; readonly loss: number };
}

/** λ that are tried on the validation rows: from all but none to one that all but forbids weights. */
const penalties = [1e-2, 1e-3, 1e-4, 1e-5];

/** Logistic regression on vectors, its penalty the one under which the validation rows are likeliest. */
export function fitHead(
  { vectors, labels }: LabelledVectors,
  validation: LabelledVectors,
  { classCount }: { readonly classCount: number },
): JudgedHead {
  const rows = { columns: vectors.length / labels.length, values: vectors };
  const judged = penalties.map((l2) => {
    const { weights } = fitLogisticRegression(rows, labels, { classCount, l2 });
    return judgeHead(headOfRegression(weights, rows.columns), validation, { classCount });
  });
  return judged.reduce((best, other) => (other.validation.loss < best.validation.loss ? other : best));
}

/** Throws `training_diverged` where the loss is no number. */
export function judgeHead(
  head: ClassifierHead,
  { vectors, labels }: LabelledVectors,
  { classCount }: { readonly classCount: number },
): JudgedHead {
  const logits = headLogitsOf(head, vectors);
  const { accuracy, macroF1 } = classReport(labels, mostProbable(logits, { classCount }), { classCount });
  const temperature = fitTemperature(logits, labels, { classCount });
  const loss = negativeLogLikelihood(logits, labels, { classCount, temperature });
  if (!Number.isFinite(loss)) {
    throw new MedleyError("training_diverged", `the validation loss is ${loss}`, {
      mend: "use a lower learning rate",
    });
  }
  return { head, temperature, logits, validation: { accuracy, macroF1, loss } };
}
