import type { Encoder } from "@medley/core";
import {
  type Environment,
  loadModelBytes,
  locateModel,
  ModelFiles,
  type ModelLock,
  pinModel,
} from "@medley/models";
import { inlineExternalData } from "@medley/models/onnx";
import type { TrainingOptions } from "../progress.ts";
import { encoderVectors } from "./encoder-vectors.ts";
import { fitHead, type LabelledVectors } from "./fit-head.ts";
import { referenceOf } from "./reference.ts";
import { tunedArtefact } from "./tuned-artefact.ts";
import { type TunedModel, tunedModel } from "./tuned-model.ts";

/** Values as the encoder takes them (pictures and clips by name), and the class of each, a place in the list of classes. */
export interface LabelledValues {
  readonly values: readonly string[];
  readonly labels: ArrayLike<number>;
}

/** Of the model whose vectors a head is put on. */
export interface HeadOptions {
  /** Of the pre-trained model; the caller's to close. */
  readonly encoder: Encoder<string, unknown>;
  readonly model: string;
  readonly kind: "image" | "audio";
  readonly environment: Environment;
  readonly lock?: ModelLock;
  /** Names the target: `category`. */
  readonly target: string;
  readonly classes: readonly string[];
}

export interface TuneHeadOptions extends HeadOptions, Pick<TrainingOptions, "signal" | "onProgress"> {
  readonly train: LabelledValues;
  /** Rows that choose the penalty and the temperature. */
  readonly validation: LabelledValues;
  /** Looked at once, when all is chosen. */
  readonly test?: LabelledValues;
  readonly cacheDirectory?: string;
  /** Default 2 GiB. */
  readonly cacheBytesMax?: number;
}

const cacheBytesDefault = 2 * 2 ** 30;

/**
 * A classifier on a picture or sound model as it is: its vectors are computed once by the worker's own encoder, a logistic
 * regression is fitted to them. The artefact is the model with the classifier beside it; its segments are the same as before.
 */
export async function tuneHead(options: TuneHeadOptions): Promise<TunedModel> {
  const { encoder, train, validation, test, cacheBytesMax = cacheBytesDefault } = options;
  const vectorsOf = async ({ values, labels }: LabelledValues): Promise<HeadPart> => ({
    values,
    vectors: await encoderVectors(encoder, values, { ...options, cacheBytesMax }),
    labels,
  });
  const [trained, held] = [await vectorsOf(train), await vectorsOf(validation)];
  const tested = test === undefined ? null : await vectorsOf(test);
  return headOnVectors(options, { train: trained, validation: held, test: tested });
}

/** Values with the vectors that the model gives of them. */
export interface HeadPart extends LabelledValues, LabelledVectors {}

/** Likewise, of values that are encoded already. */
export async function headOnVectors(
  options: HeadOptions,
  { train, validation, test }: Record<"train" | "validation", HeadPart> & { test: HeadPart | null },
): Promise<TunedModel> {
  const { encoder, model: name, kind, environment, lock, target, classes } = options;
  const judged = fitHead(train, validation, { classCount: classes.length });
  const located = await locateModel(name, environment, { lock, kind });
  const pinned = await pinModel(await ModelFiles.open(located), located.modelFile);
  const { bytes, externalData } = loadModelBytes(pinned);
  const onnx = inlineExternalData(bytes, new Map(externalData.map(({ path, data }) => [path, data])));
  const { dimensions } = encoder;
  const artefact = await tunedArtefact(
    { ...{ name, kind, dimensions, environment, lock }, contents: pinned.contents },
    {
      ...{ onnx, blocks: 0, stores: "float32" },
      classifier: {
        head: judged.head,
        described: { target, labels: classes, temperature: judged.temperature },
      },
    },
  );
  const tuned = tunedModel(artefact, judged, { labels: validation.labels, test, curves: [] });
  return { ...tuned, reference: referenceOf(validation.values, validation.vectors) };
}
