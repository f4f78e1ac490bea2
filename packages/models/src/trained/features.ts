import type { Result } from "@medley/core";
import type { InputFailure } from "../runtime/session.ts";
import { entityFeatures } from "./entity-features.ts";
import { graphsageFeatures } from "./graphsage-features.ts";
import type { TrainedKind } from "./kinds.ts";
import { node2vecFeatures } from "./node2vec-features.ts";
import { projectionFeatures } from "./projection-features.ts";
import { seriesFeatures } from "./series-features.ts";
import { time2vecFeatures } from "./time2vec-features.ts";
import { wordsFeatures } from "./words-features.ts";

/** What a trained model's features are made from: its `manifest.json`, where `kind` decides which other keys there are. */
export interface FeaturesManifest {
  readonly kind: TrainedKind;
  readonly dimensions: number;
  readonly [key: string]: unknown;
}

/** The artefact's files by path, without `model.onnx`: vocabularies. */
export type ArtefactFiles = ReadonlyMap<string, Uint8Array>;

/**
 * How the values of one kind become inputs of its graph: a pure function of the artefact, the same for the trainer and the
 * worker, so that what is served is what was trained.
 *
 * A row is what one value gives:
 * - `bag` kinds: pairs [id, weight, id, weight, ...] of any number; an id is a whole number, 0 ≤ id < 2^24.
 * - `tensors` kinds: the graph's inputs end to end, in the graph's order, each flattened; always of the same length.
 *
 * An empty row says nothing and becomes an all-zero segment: a text without known words. A failure is for a value that is
 * wrong; its message continues "the value ..." and must not quote what is in the record.
 */
export interface Features<Value = unknown> {
  row(value: Value): Result<Float32Array, InputFailure>;
  /** Of what a search says about the space, unchecked: it comes from a user. The failure's mend names the forms. */
  queryRow(query: unknown): Result<Float32Array, InputFailure>;
}

/**
 * Reads what a kind needs of its artefact. Throws `MedleyError` `model_damaged` for a manifest or a vocabulary that is
 * not as the kind's trainer writes it.
 */
export type FeaturesOf = (manifest: FeaturesManifest, files: ArtefactFiles) => Features<never>;

const featuresByKind: Partial<Record<TrainedKind, FeaturesOf>> = {
  graphsage: graphsageFeatures,

  autoformer: seriesFeatures,
  dlinear: seriesFeatures,
  entity: entityFeatures,
  informer: seriesFeatures,
  nlinear: seriesFeatures,
  node2vec: node2vecFeatures,
  pca: projectionFeatures,
  random: projectionFeatures,
  time2vec: time2vecFeatures,
  words: wordsFeatures,
};

/** Undefined for a kind that this version can't prepare. */
export function featuresOf(manifest: FeaturesManifest, files: ArtefactFiles): Features<never> | undefined {
  return featuresByKind[manifest.kind]?.(manifest, files);
}
