import type { CheckpointFolder } from "../fit/checkpoint.ts";
import { type Fitted, fitEpochs, type Validation } from "../fit/fit.ts";
import { linearRate, withWarmUp } from "../fit/schedule.ts";
import type { TrainingOptions } from "../progress.ts";
import type { Objective } from "./objective.ts";
import { shapedBatches, shapeLengths } from "./shape-buckets.ts";
import { type GroupedRows, type Tail, TailTraining, type TailTrainingOptions } from "./tail-training.ts";
import { unitRows, unitsOf, usableBatches } from "./units.ts";

/** Of a training of the last blocks. */
export interface BlockSettings {
  /** From 1: how many of the last blocks are trained. */
  readonly blocks: number;
  readonly learningRate: number;
  readonly batchRows: number;
  readonly weightDecay: number;
  readonly epochs: number;
  /** Of a classifier; default: classification. */
  readonly objective?: Objective;
  /** Whether classes count the same however many rows they have. Default false. */
  readonly balances?: boolean;
  /** Of the vector, before the head. Default 0. */
  readonly dropout?: number;
  /** Tokens of each text that a step looks at, others in each epoch; what serves looks at all. Default: all. */
  readonly tokensKept?: number;
}

export interface FitTailOptions<Found> extends TrainingOptions {
  readonly settings: BlockSettings;
  readonly objective: Objective;
  readonly head: TailTrainingOptions["head"];
  readonly classWeights?: ArrayLike<number> | undefined;
  /** What the tail is worth as it is now: after each epoch, and for the best at the end (then without the signal). */
  readonly judge: (training: TailTraining, signal: AbortSignal | undefined) => Promise<Found>;
  readonly metricsOf: (found: Found) => Readonly<Record<string, number>>;
  readonly best: Pick<Validation, "by" | "better">;
  readonly checkpoint?: CheckpointFolder | undefined;
}

const clipNorm = 1;
/** Of the steps; BERT's own fine-tuning warms up over a tenth. */
const warmUpShare = 0.1;

/** Trains a tail for some epochs on rows whose hidden states are computed, and gives what its best epoch is worth. */
export async function fitTail<Found>(
  tail: Tail,
  data: GroupedRows,
  options: FitTailOptions<Found>,
): Promise<{ found: Found; curves: Fitted["curves"] }> {
  const {
    settings,
    objective,
    head,
    classWeights,
    judge,
    metricsOf,
    best,
    seed,
    device,
    threads = 1,
  } = options;
  const { batchRows, epochs, weightDecay, learningRate, dropout = 0 } = settings;
  const { tokensKept = tail.backbone.model.tokensMax } = settings;
  const { signal, onProgress, checkpoint } = options;
  const lengths = data.rows.map(({ ids }) => Math.min(ids.length, tokensKept));
  const units = unitsOf(objective, lengths, Array.from(data.groups));
  const shapes = shapeLengths(lengths, { batchRows });
  await using training = await TailTraining.open(tail, data, shapes.at(-1) as number, {
    ...{ objective, head, classWeights, batchRows, weightDecay, dropout, tokensKept },
    ...{ clipNorm, seed, threads, device, classCount: head?.bias.length ?? 0 },
  });
  const stepsPerEpoch = Math.max(1, Math.floor((units.length * unitRows(objective)) / batchRows));
  const warmUpSteps = Math.ceil(warmUpShare * stepsPerEpoch * epochs);
  const { curves } = await fitEpochs({
    step: training,
    batches: (random) =>
      usableBatches(shapedBatches(units, shapes, { batchRows, random }), objective, { batchRows }),
    ...{ stepsPerEpoch, epochsMax: epochs, seed },
    schedule: withWarmUp(warmUpSteps, linearRate(learningRate)),
    validation: { run: async (of) => metricsOf(await judge(training, of)), ...best },
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { found: await judge(training, undefined), curves };
}
