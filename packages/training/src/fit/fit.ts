import { strict as assert } from "node:assert";
import { MedleyError, Random } from "@medley/core";
import type { StateTensor } from "../engine/training-step.ts";
import type { TrainingProgress } from "../progress.ts";
import type { Curve } from "../trained-model.ts";
import type { Checkpoint, CheckpointFolder, EpochMetrics } from "./checkpoint.ts";
import type { Schedule } from "./schedule.ts";

/** What learns; `TrainingStep` of the engine is one. */
export interface LearningStep<Batch> {
  /** One step on one batch; gives the loss before the update. */
  train(batch: Batch, learningRate: number): Promise<{ readonly loss: number }>;
  /** All that the next step depends on, random numbers included. A copy. */
  state(): ReadonlyMap<string, StateTensor>;
  /** Goes on from what `state` gave. */
  restore(state: ReadonlyMap<string, StateTensor>): void | Promise<void>;
}

export interface FitOptions<Batch> {
  readonly step: LearningStep<Batch>;
  /**
   * The batches of an epoch: at least `stepsPerEpoch`, which are taken. They follow from `random` and the epoch alone, so that a
   * resumed training sees the same.
   */
  readonly batches: (random: Random, epoch: number) => Iterable<Batch> | AsyncIterable<Batch>;
  readonly stepsPerEpoch: number;
  readonly epochsMax: number;
  readonly schedule: Schedule;
  readonly seed: number;
  /** After each epoch: figures by name, on rows that are not trained on. Without it the last epoch is kept. */
  readonly validation?: Validation;
  readonly checkpoint?: CheckpointFolder;
  /** Called after each epoch, once its checkpoint is written. */
  readonly onEpoch?: (epoch: number, metrics: EpochMetrics) => void | Promise<void>;
  readonly onProgress?: (progress: TrainingProgress) => void;
  readonly signal?: AbortSignal;
}

export interface Validation {
  readonly run: (signal: AbortSignal | undefined) => EpochMetrics | Promise<EpochMetrics>;
  /** The figure by which an epoch is best: `validation/accuracy`. */
  readonly by: string;
  readonly better: "higher" | "lower";
  /** So many epochs in a row without a better one end the training. Default: none does. */
  readonly patience?: number;
}

export interface Fitted {
  /** Epochs done, those before a resume included. */
  readonly epochs: number;
  /** From 0: the epoch whose state the step is left in; null where not one was done. */
  readonly keptEpoch: number | null;
  readonly endedBy: "epochs" | "patience" | "signal";
  /** Figures of the kept epoch. */
  readonly metrics: EpochMetrics;
  /** A point per epoch of every figure. */
  readonly curves: readonly Curve[];
}

/**
 * Runs epochs of steps and leaves the step as it was after its best epoch by validation.
 *
 * States: an epoch trains, then is validated, then (better than all before) kept, then checkpointed; the training ends after
 * `epochsMax` epochs, after `patience` epochs without a better one, or at the signal, within one step. An epoch that the signal cuts off
 * is forgotten, unless it is the first: then the step is left with what it had learned. With a checkpoint folder that holds a
 * checkpoint it goes on after that epoch, to the same bits as if it had never stopped, as long as step, batches and validation follow
 * from their arguments alone; a training that had ended ends again at once.
 *
 * Bounds: one state is held beside the step's own, and figures per epoch. Throws `training_diverged` for a loss or figure that is not
 * finite, `run_damaged` and `data_not_writable` of the checkpoint, and what step, batches and validation throw.
 */
export async function fitEpochs<Batch>(options: FitOptions<Batch>): Promise<Fitted> {
  const { step, epochsMax, stepsPerEpoch, validation, checkpoint } = options;
  assert(epochsMax > 0 && stepsPerEpoch > 0, "epochs and steps above 0");
  const resumed = (await checkpoint?.read()) ?? null;
  if (resumed !== null) await step.restore(resumed.last);
  const history: EpochMetrics[] = [...(resumed?.state.history ?? [])];
  let kept = keptOf(resumed, validation);
  let endedBy: Fitted["endedBy"] = "epochs";
  while (history.length < epochsMax) {
    const epoch = history.length;
    if (isOutOfPatience(kept?.epoch, epoch, validation)) {
      endedBy = "patience";
      break;
    }
    const metrics = await runEpoch(options, epoch);
    if (metrics === null) {
      endedBy = "signal";
      break;
    }
    history.push(metrics);
    const isBest = kept === null || isBetter(validation, metrics, history[kept.epoch] as EpochMetrics);
    if (isBest) kept = { epoch, state: step.state() };
    await writeCheckpoint(options, history, { kept: kept as Kept, isBest });
    await options.onEpoch?.(epoch, metrics);
  }
  if (kept !== null) await step.restore(kept.state);
  return {
    ...{ epochs: history.length, keptEpoch: kept?.epoch ?? null, endedBy, curves: curvesOf(history) },
    metrics: kept === null ? {} : (history[kept.epoch] as EpochMetrics),
  };
}

interface Kept {
  readonly epoch: number;
  readonly state: ReadonlyMap<string, StateTensor>;
}

function keptOf(resumed: Checkpoint | null, validation: Validation | undefined): Kept | null {
  if (resumed === null) return null;
  const { state, last, best } = resumed;
  if (validation === undefined) return { epoch: state.history.length - 1, state: last };
  return best === null ? null : { epoch: state.bestEpoch as number, state: best };
}

async function writeCheckpoint<Batch>(
  { step, checkpoint, validation }: FitOptions<Batch>,
  history: readonly EpochMetrics[],
  { kept, isBest }: { readonly kept: Kept; readonly isBest: boolean },
): Promise<void> {
  if (checkpoint === undefined) return;
  const last = isBest ? kept.state : step.state();
  // Without validation the best is the last, which need not be written twice.
  if (validation === undefined) await checkpoint.write({ history, bestEpoch: null }, { last });
  else await checkpoint.write({ history, bestEpoch: kept.epoch }, isBest ? { last, best: last } : { last });
}

/** Null where the signal came first. */
async function runEpoch<Batch>(options: FitOptions<Batch>, epoch: number): Promise<EpochMetrics | null> {
  const { step, stepsPerEpoch, epochsMax, schedule, validation, signal, onProgress } = options;
  const stage = `epoch ${epoch + 1}`;
  let [done, lossSum] = [0, 0];
  if (signal?.aborted) return null;
  for await (const batch of options.batches(epochRandom(options.seed, epoch), epoch)) {
    const position = { epoch, step: epoch * stepsPerEpoch + done, stepsPerEpoch, epochsMax };
    const { loss } = await step.train(batch, schedule(position));
    checkFinite("train/loss", loss, epoch);
    done += 1;
    lossSum += loss;
    onProgress?.({ stage, done, total: stepsPerEpoch, unit: "steps", loss: lossSum / done });
    if (signal?.aborted) return null;
    if (done === stepsPerEpoch) break;
  }
  assert(done === stepsPerEpoch, `epoch ${epoch} has ${done} batches, not ${stepsPerEpoch}`);
  const validated = (await validation?.run(signal)) ?? {};
  // What was validated under a signal may be of a part of the rows only.
  if (signal?.aborted) return null;
  for (const [name, value] of Object.entries(validated)) checkFinite(name, value, epoch);
  assert(validation === undefined || validation.by in validated, `validation gives ${validation?.by}`);
  return { "train/loss": lossSum / done, ...validated };
}

/** Of an epoch alone, so that a resumed training shuffles like one that never stopped. */
function epochRandom(seed: number, epoch: number): Random {
  // With the sum of both as a seed, the second epoch of one training would be shuffled as the first of the next seed's.
  const random = new Random(seed);
  let own = random.fork();
  for (let before = 0; before < epoch; before += 1) own = random.fork();
  return own;
}

function isBetter(validation: Validation | undefined, now: EpochMetrics, best: EpochMetrics): boolean {
  if (validation === undefined) return true;
  const { by, better } = validation;
  const [value, before] = [now[by] as number, best[by] as number];
  return better === "higher" ? value > before : value < before;
}

function isOutOfPatience(
  keptEpoch: number | undefined,
  epochsDone: number,
  validation: Validation | undefined,
): boolean {
  if (keptEpoch === undefined || validation?.patience === undefined) return false;
  return epochsDone - 1 - keptEpoch >= validation.patience;
}

function checkFinite(name: string, value: number, epoch: number): void {
  if (Number.isFinite(value)) return;
  throw new MedleyError("training_diverged", `${name} is ${value} in epoch ${epoch + 1}`, {
    mend: "lower the learning rate, or look for values in the data that are out of all proportion",
  });
}

function curvesOf(history: readonly EpochMetrics[]): Curve[] {
  const names = new Set(history.flatMap((metrics) => Object.keys(metrics)));
  return [...names].map((name) => ({
    name,
    points: history.flatMap((metrics, step) => {
      const value = metrics[name];
      return value === undefined ? [] : [{ step, value }];
    }),
  }));
}
