import { strict as assert } from "node:assert";
import { join } from "node:path";
import { Random } from "@medley/core";
import { type CycleResult, runCycle } from "./cycle.ts";
import type { BlockSettings } from "./fit-tail.ts";
import { choice, logUniform, sampleCandidates } from "./search-space.ts";
import { successiveHalving } from "./successive-halving.ts";
import { TextTuner, type TunedCandidate } from "./text-tuner.ts";
import { finishTuning, type TuneTextOptions } from "./tune-text.ts";
import type { TunedModel } from "./tuned-model.ts";

export interface SearchTextOptions extends Omit<TuneTextOptions, "settings"> {
  /** Settings that are tried in each round. Default 9. */
  readonly candidates?: number;
  /** Rounds after the frozen head, each with more blocks than the one before. Default 2. */
  readonly roundsMax?: number;
  /** What the search does not vary. Default: 3 epochs. */
  readonly fixed?: Partial<BlockSettings>;
}

export interface SearchedText extends TunedModel {
  /** What was chosen; null where no training of blocks gained on the head of the frozen model. */
  readonly settings: BlockSettings | null;
  readonly cycle: CycleResult<unknown>;
}

interface Trained {
  readonly settings: BlockSettings | null;
  readonly candidate: TunedCandidate;
}

const candidatesDefault = 9;
const roundsDefault = 2;
const epochsDefault = 3;
/** Of the training rows a ninth on the first rung, a third on the next, then all. */
const firstRungParts = 9;
/** Blocks of a round: 1 or 2, then 3 or 4. */
const blocksPerRound = 2;

/**
 * Chooses how a text model is fine-tuned, and tunes it: first a head on the frozen model, then rounds of more and more blocks. A round
 * draws learning rate, batch, depth and weight decay, halves the candidates on growing parts of the training rows, and trains the
 * best with all of them. The cycle ends when a round gains nothing significant on the validation rows; then the test rows are
 * looked at, once. At the signal it ends with the best round so far, untested; it throws the signal's reason where there is none. With `checkpoints` a search that was killed goes on with the trial or the epoch it was at.
 */
export async function searchText(options: SearchTextOptions): Promise<SearchedText> {
  const { validation, seed, signal, onProgress, roundsMax = roundsDefault } = options;
  await using tuner = await TextTuner.open(options);
  let finished: TunedModel | null = null;
  const cycle = await runCycle<Trained>({
    train: (round) => trainRound(tuner, round, options),
    validate: async ({ candidate: { logits } }) => hitsOf(logits, validation.labels),
    test: async ({ candidate }) => {
      finished = await finishTuning(tuner, candidate, options);
      return finished.metrics;
    },
    ...{ roundsMax: 1 + roundsMax, seed },
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  if (cycle.best === null) signal?.throwIfAborted();
  assert(cycle.best !== null, "a cycle that was not interrupted has a best model");
  const { candidate, settings } = cycle.best.model;
  // At the signal, the best of the rounds before: untested.
  return { ...(finished ?? (await finishTuning(tuner, candidate, options))), settings, cycle };
}

async function trainRound(tuner: TextTuner, round: number, options: SearchTextOptions): Promise<Trained> {
  if (round === 0) return { settings: null, candidate: await tuner.trainHead() };
  const {
    seed,
    signal,
    onProgress,
    checkpoints,
    fixed = {},
    candidates: count = candidatesDefault,
  } = options;
  const deepest = round * blocksPerRound;
  const space = {
    learningRate: logUniform(2e-5, 4e-4),
    batchRows: choice(16, 32),
    blocks: choice(deepest - 1, deepest),
    weightDecay: choice(0, 0.01, 0.1),
  };
  const drawn = sampleCandidates(space, { count, random: new Random(seed + round) });
  const candidates = drawn.map((candidate) => ({ epochs: epochsDefault, ...candidate, ...fixed }));
  const { best } = await successiveHalving({
    candidates,
    ...{ budgetMin: Math.ceil(tuner.trainRows / firstRungParts), budgetMax: tuner.trainRows, seed },
    ...(checkpoints === undefined ? {} : { trialsPath: join(checkpoints, `round-${round}.trials.json`) }),
    identity: tuner.dataIdentity(),
    // One epoch ranks settings; the winner gets all of its own.
    evaluate: async (settings, { budget }) => {
      const rows = Math.max(settings.batchRows, budget);
      const { validation } = await tuner.trainBlocks({ ...settings, epochs: 1 }, { rows });
      return -validation.loss;
    },
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  signal?.throwIfAborted();
  assert(best, "a search that was not interrupted has a best");
  const settings = best.candidate;
  return { settings, candidate: await tuner.trainBlocks(settings, { checkpoint: `round-${round}` }) };
}

/** 1 where the most probable class is the truth. */
function hitsOf(logits: Float64Array, labels: ArrayLike<number>): Float64Array {
  const classCount = logits.length / labels.length;
  return Float64Array.from({ length: labels.length }, (_, row) => {
    const own = logits.subarray(row * classCount, (row + 1) * classCount);
    return own.indexOf(Math.max(...own)) === labels[row] ? 1 : 0;
  });
}
