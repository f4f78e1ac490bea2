import type { TrainedModel } from "../trained-model.ts";
import {
  type ClassifierEvaluation,
  evaluateClassifier,
  metricsOfEvaluation,
} from "./classifier-evaluation.ts";
import { headLogitsOf } from "./classifier-head.ts";
import { textArtefact, type WeightStorage } from "./text-artefact.ts";
import {
  type BlockSettings,
  type LabelledTexts,
  TextTuner,
  type TextTunerOptions,
  type TunedCandidate,
} from "./text-tuner.ts";

export interface TuneTextOptions extends TextTunerOptions {
  /** Names the target: `label`. */
  readonly target: string;
  /** Null: a head on the model as it is. */
  readonly settings: BlockSettings | null;
  /** Looked at once, when all is chosen. */
  readonly test?: LabelledTexts;
  /** Default `float32`. */
  readonly stores?: WeightStorage;
}

/** A text model with a classifier: an encoder of segments, and a label with its probability. */
export interface TunedText extends TrainedModel {
  readonly validation: ClassifierEvaluation;
  readonly test: ClassifierEvaluation | null;
}

/**
 * Fine-tunes a text model to tell classes apart: a head on the frozen model, or its last blocks and a head. Validation rows choose
 * the epoch, the head's penalty and the temperature of its probabilities; test rows are looked at once. The same seed and
 * machine give the same artefact.
 *
 * Throws as `TextTuner` does. At the signal it ends with the best epoch so far.
 */
export async function tuneText(options: TuneTextOptions): Promise<TunedText> {
  const { settings } = options;
  await using tuner = await TextTuner.open(options);
  const candidate = settings === null ? await tuner.trainHead() : await tuner.trainBlocks(settings);
  return await finishTuning(tuner, candidate, options);
}

/** Makes a candidate of a tuner the artefact: fits its temperature, looks at the test rows, writes its files. */
export async function finishTuning(
  tuner: TextTuner,
  candidate: TunedCandidate,
  options: Omit<TuneTextOptions, "settings">,
): Promise<TunedText> {
  const { validation, test, classes, target, environment, lock, stores = "float32" } = options;
  const classCount = classes.length;
  const { temperature } = candidate;
  const held = evaluateClassifier(candidate.logits, validation.labels, { classCount, temperature });
  const tested =
    test === undefined
      ? null
      : evaluateClassifier(
          headLogitsOf(candidate.head, await tuner.vectors(candidate, test.texts)),
          test.labels,
          { classCount, temperature },
        );
  const artefact = await textArtefact(tuner.backbone, candidate, {
    ...{ environment, lock, classes, target, temperature, stores },
  });
  return {
    ...artefact,
    metrics: {
      ...metricsOfEvaluation("validation", held),
      ...(tested === null ? {} : metricsOfEvaluation("test", tested)),
      temperature,
    },
    curves: candidate.curves,
    validation: held,
    test: tested,
  };
}
