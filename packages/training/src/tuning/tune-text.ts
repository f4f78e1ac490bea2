import { replaceTensors } from "../engine/replace-tensors.ts";
import type { BlockSettings } from "./fit-tail.ts";
import { type LabelledTexts, TextTuner, type TextTunerOptions, type TunedCandidate } from "./text-tuner.ts";
import { jsonBytes, tunedArtefact, type WeightStorage } from "./tuned-artefact.ts";
import { type TunedModel, tunedModel } from "./tuned-model.ts";

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

const limitFile = "sentence_bert_config.json";

/**
 * Fine-tunes a text model to tell classes apart: a head on the frozen model, or its last blocks and a head. Validation rows choose
 * the epoch, the head's penalty and the temperature of its probabilities; test rows are looked at once. The same seed and
 * machine give the same artefact.
 *
 * Throws as `TextTuner` does. At the signal it ends with the best epoch so far.
 */
export async function tuneText(options: TuneTextOptions): Promise<TunedModel> {
  const { settings } = options;
  await using tuner = await TextTuner.open(options);
  const candidate =
    settings === null ? await tuner.trainHead() : await tuner.trainBlocks(settings, { checkpoint: "blocks" });
  return await finishTuning(tuner, candidate, options);
}

/** Makes a candidate of a tuner the artefact, and looks at the test rows. */
export async function finishTuning(
  tuner: TextTuner,
  candidate: TunedCandidate,
  options: Omit<TuneTextOptions, "settings">,
): Promise<TunedModel> {
  const { validation, test, classes, target, environment, lock, signal, stores = "float32" } = options;
  const { model, bytes } = tuner.backbone;
  const { name, kind, dimensions } = model;
  const { head, temperature, blocks, cut, curves } = candidate;
  const base = { ...{ name, kind, dimensions, environment, lock }, contents: model.model.contents };
  const artefact = await tunedArtefact(base, {
    onnx: replaceTensors(bytes, blocks),
    blocks: cut?.blocks ?? 0,
    classifier: { head, described: { target, labels: classes, temperature } },
    stores,
    // A frozen model serves as it is; trained blocks have seen texts of this length.
    ...(cut === null
      ? {}
      : { changed: new Map([[limitFile, jsonBytes({ max_seq_length: model.tokensMax })]]) }),
  });
  // Whoever ends a training early does not want to wait for a test either.
  const tested =
    test === undefined || signal?.aborted
      ? null
      : { vectors: await tuner.vectors(candidate, test.texts), labels: test.labels };
  const tuned = tunedModel(artefact, candidate, { labels: validation.labels, test: tested, curves });
  // Weights that are stored as int8 are others than those that were trained.
  return stores === "int8" ? tuned : { ...tuned, reference: await tuner.reference(candidate) };
}
