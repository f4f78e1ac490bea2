import { strict as assert } from "node:assert";
import { type Classifier, MedleyError, type SpaceLabel } from "@medley/core";
import { ModelFiles, type PinnedFile } from "../artefact/files.ts";
import { type Environment, type LocateOptions, locateModel } from "../artefact/locate.ts";
import { Head } from "../text/head.ts";

/** What a classifier says of one value. */
export interface Classification extends SpaceLabel {
  /** Of each of the classifier's labels, of sum 1. */
  readonly probabilities: Float64Array;
}

/** Of a classifier, beside `classifierWeightsFile`. Both are listed in the manifest, so that the lock pins them. */
export const classifierFile = "head/config.json";
export const classifierWeightsFile = "head/model.safetensors";

/** What `classifierFile` holds. */
export interface ClassifierDescription {
  /** Names what the labels are of: a field. */
  readonly target: string;
  readonly labels: readonly string[];
  readonly temperature: number;
}

/**
 * The classifier of a model that was tuned: a linear layer on the unit vector that the model gives, so that who has a record's
 * segment needs no second run of the model. Its weights are those of a Dense module of sentence-transformers; probabilities are
 * softmax(logits / temperature), the temperature fitted on rows that were not trained on (Guo et al. 2017). A segment counts in half
 * precision, as it is stored: so that of a row can be told from the row alone.
 */
export class SegmentClassifier implements Classifier {
  readonly target: string;
  readonly labels: readonly string[];
  readonly dimensions: number;
  readonly #head: Head;
  readonly #temperature: number;

  /** Throws `model_damaged` where the weights are not of the shape that labels and dimensions say. */
  constructor(described: ClassifierDescription, weights: PinnedFile, dimensions: number) {
    this.target = described.target;
    this.labels = described.labels;
    this.dimensions = dimensions;
    this.#temperature = described.temperature;
    const outFeatures = described.labels.length;
    const layer = { kind: "dense", weights, inFeatures: dimensions, outFeatures, bias: true } as const;
    this.#head = new Head([{ ...layer, activation: "Identity" }], dimensions);
  }

  /** Of a segment. Null for one that is all zero: there was nothing to tell it by. */
  classify(segment: Float16Array | Float32Array): Classification | null {
    assert.equal(segment.length, this.dimensions, "a segment of the classifier's model");
    if (segment.every((value) => value === 0)) return null;
    const logits = this.#head.apply(Float64Array.from(Float16Array.from(segment)));
    const most = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp((logit - most) / this.#temperature));
    const sum = powers.reduce((total, power) => total + power, 0);
    const probabilities = powers.map((power) => power / sum);
    const best = logits.indexOf(most);
    return {
      label: this.labels[best] as string,
      probability: probabilities[best] as number,
      probabilities,
    };
  }
}

/**
 * The classifier of a model's folder, or null where it has none. `dimensions`: of the model's vectors. Throws as `locateModel`
 * does, `model_damaged` for a description or weights that are not as training writes them.
 */
export async function readClassifier(
  name: string,
  environment: Environment,
  { dimensions, ...options }: LocateOptions & { readonly dimensions: number },
): Promise<SegmentClassifier | null> {
  const files = await ModelFiles.open(await locateModel(name, environment, options));
  const described = await files.json(classifierFile);
  if (described === undefined) return null;
  const checked = checkedDescription(described, name);
  return new SegmentClassifier(checked, await files.pin(classifierWeightsFile), dimensions);
}

function checkedDescription(json: Readonly<Record<string, unknown>>, name: string): ClassifierDescription {
  const { target, labels, temperature } = json;
  const areLabels =
    Array.isArray(labels) && labels.length > 1 && labels.every((label) => typeof label === "string");
  const isWarm = typeof temperature === "number" && temperature > 0 && Number.isFinite(temperature);
  if (typeof target === "string" && areLabels && isWarm) return { target, labels, temperature };
  throw new MedleyError("model_damaged", `${classifierFile} of ${name} describes no classifier`, {
    mend: "train the model again, or take an earlier one",
  });
}
