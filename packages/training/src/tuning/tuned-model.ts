import type { Curve, TrainedModel } from "../trained-model.ts";
import {
  type ClassifierEvaluation,
  evaluateClassifier,
  metricsOfEvaluation,
} from "./classifier-evaluation.ts";
import { headLogitsOf } from "./classifier-head.ts";
import type { JudgedHead, LabelledVectors } from "./fit-head.ts";

/** A pre-trained model with a classifier: an encoder of segments, and a label with its probability. */
export interface TunedModel extends TrainedModel {
  readonly validation: ClassifierEvaluation;
  readonly test: ClassifierEvaluation | null;
}

/** Evaluates a head on its validation rows and, once, on test rows. */
export function tunedModel(
  artefact: Pick<TrainedModel, "manifest" | "files">,
  { head, temperature, logits }: JudgedHead,
  {
    labels,
    test,
    curves,
  }: { labels: ArrayLike<number>; test: LabelledVectors | null; curves: readonly Curve[] },
): TunedModel {
  const options = { classCount: head.bias.length, temperature };
  const validation = evaluateClassifier(logits, labels, options);
  const tested =
    test === null ? null : evaluateClassifier(headLogitsOf(head, test.vectors), test.labels, options);
  const metrics = {
    ...metricsOfEvaluation("validation", validation),
    ...(tested === null ? {} : metricsOfEvaluation("test", tested)),
    temperature,
  };
  return { ...artefact, metrics, curves, validation, test: tested };
}
