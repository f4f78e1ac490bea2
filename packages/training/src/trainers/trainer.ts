import type { RecordFields, Space } from "@medley/core";
import type { Environment, ModelLock } from "@medley/models";
import type { TrainingOptions } from "../progress.ts";
import type { TrainedModel } from "../trained-model.ts";
import type { Setting, Settings } from "./settings.ts";

/** A record as trainers see it: checked, with every field of its collection. */
export interface TrainingRecord {
  readonly id: string;
  readonly fields: RecordFields;
  /** Of a space that names features: the record's segments of those spaces, end to end. Of one that is reduced, its own before that. */
  readonly features?: Float32Array;
}

export interface TrainerOptions extends TrainingOptions {
  readonly space: Space;
  /** Identity of the encoder that the records' features are by, where it is one. */
  readonly featuresEncoder?: string;
  /** Of the trainer's own; those left out have its defaults. */
  readonly settings: Settings;
  /** Where pre-trained models are found, for trainers that tune one. Default: bundled ones and folders alone. */
  readonly models?: { readonly environment: Environment; readonly lock: ModelLock };
  /** Where a trainer that `resumes` keeps its checkpoints; it goes on from the newest that is there. */
  readonly checkpoints?: string;
}

export interface Trainer {
  readonly settings: Readonly<Record<string, Setting>>;
  /** Whether a training that was ended can go on from its checkpoints. */
  readonly resumes: boolean;
  train(records: AsyncIterable<TrainingRecord>, options: TrainerOptions): Promise<TrainedModel>;
}
