import type { Device } from "@medley/models";

/** How far a training is, told often; whoever prints it works out rate and time left. */
export interface TrainingProgress {
  /** `walks`, `epoch 3`, `evaluation`. */
  readonly stage: string;
  readonly done: number;
  /** 0 where it is not known. */
  readonly total: number;
  /** Plural: `steps`, `nodes`. */
  readonly unit: string;
  /** Of training, where there is one. */
  readonly loss?: number;
}

/** What every training takes beside its data. */
export interface TrainingOptions {
  readonly seed: number;
  /** Threads it may use. Default: the cores this process may use. */
  readonly threads?: number;
  /** Where steps run. Default `cpu`. */
  readonly device?: Device;
  /** What was best so far is kept: the training ends as if it had been done. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainingProgress) => void;
}
