import type { RunStart } from "./runs/run-record.ts";

/** One line of a learning curve: a value per step or epoch. */
export interface Curve {
  /** `train/loss`, `validation/accuracy`. */
  readonly name: string;
  readonly points: readonly { readonly step: number; readonly value: number }[];
}

/** What a fine-tuning itself made of some values, to compare what serves with. */
export interface ReferenceVectors {
  /** As the space's encoder takes them. */
  readonly values: readonly string[];
  /** Unit vectors [values, dimensions]. */
  readonly vectors: Float32Array;
}

/** What a training gives: the files of an artefact, and what is known of it. */
export interface TrainedModel {
  /** `manifest.json` without `format`, `formatVersion` and `run`, which are written with the artefact. */
  readonly manifest: { readonly kind: string; readonly dimensions: number } & Readonly<
    Record<string, unknown>
  >;
  /** By path in the artefact's folder; `model.onnx` is among them, `manifest.json` is not. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** By name: `validation/accuracy`. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly curves: readonly Curve[];
  /** How rows were parted, where the trainer does. Default: all are trained on. */
  readonly split?: RunStart["split"];
  /** Of a fine-tuned model: its vectors are the worker's to compute from the folder, so `encodeValues` has none of them. */
  readonly reference?: ReferenceVectors;
}
