import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import { type BootstrapInterval, pairedBootstrap } from "../evaluation/bootstrap.ts";
import { minimise } from "../evaluation/lbfgs.ts";
import { type CosineTables, type JudgedArm, labelsOf, scoresOf, testArm } from "./arm.ts";
import { crossFit, type Folds } from "./cross-fit.ts";
import type { TaskData } from "./task-data.ts";

/** What spaces should weigh for a task, learned from which records are alike, and whether that is any better than equal weights. */
export interface LearnedWeights {
  /** Of mean 1, none below 0, each with its 95 % interval. */
  readonly weights: readonly {
    readonly space: string;
    readonly weight: number;
    readonly low: number;
    readonly high: number;
  }[];
  /** Scores with learned less those with equal weights, of validation records that the weights were not learned from. */
  readonly validation: BootstrapInterval;
  /** The same of the test records. */
  readonly test: BootstrapInterval;
  /** Whether they take the place of equal weights: a gain on validation records that the test records don't deny. */
  readonly isUsed: boolean;
}

export interface WeightsOptions {
  readonly data: TaskData;
  readonly validation: CosineTables;
  readonly test: CosineTables;
  readonly seed: number;
}

/** What equal weights are held to, from hardly to firmly. */
const penalties = [1, 0.1, 0.01, 0.001];
const comparedNeighbours = 50;
const comparisonsPerQuery = 10;
/** Of most pairs both may be as good: few records are relevant to a query. */
const drawsPerQuery = 200;
const bootstrapFits = 100;
const intervalResamples = 2_000;
const scalePenalty = 1e-4;
const minimising = { iterationsMax: 100, gradientMax: 1e-5 };

/**
 * Pairwise logistic regression on the spaces' cosines: of two neighbours of a record the one whose label is the better answer should score
 * higher. Weights are drawn towards equal ones (Joachims, "Optimizing search engines using clickthrough data", 2002, with the prior of equal
 * weights); how firmly, and whether they are used at all, is told by records that they were not learned from. `even`: all with equal weights.
 */
export function learnWeights(even: JudgedArm, options: WeightsOptions): LearnedWeights {
  const { data, test, seed } = options;
  assert(even.contenders.length > 1, "spaces to weigh");
  const comparisons = comparisonsOf(even, options);
  const folded = foldedFits(comparisons, data.folds);
  const { scores, setting } = crossFit(heldOutScores(even, folded, options), data.folds);
  const validation = pairedBootstrap(scores, even.fitted.scores, { seed, resamples: intervalResamples });
  const neighbours = data.judge.ks[setting] as number;
  const weights = weightsOf(fitSlopes(comparisons, comparisons.keys(), folded.penalty));
  const onTest = pairedBootstrap(
    testArm({ ...even, weights, neighbours }, test, data),
    testArm(even, test, data),
    {
      seed,
      resamples: intervalResamples,
    },
  );
  const drawn = bootstrapWeights(comparisons, folded.penalty, seed);
  return {
    weights: even.contenders.map(({ space }, at) => {
      const sorted = Float64Array.from(drawn, (one) => one[at] as number).sort();
      const [low, high] = [Math.floor(0.025 * drawn.length), Math.ceil(0.975 * drawn.length) - 1];
      return {
        space,
        weight: weights[at] as number,
        low: sorted[low] as number,
        high: sorted[high] as number,
      };
    }),
    validation,
    test: onTest,
    isUsed: validation.isGain && onTest.difference >= 0,
  };
}

/** Per query: by how much the better of two neighbours is ahead in each space. [comparisons][spaces]. */
type Comparisons = readonly (readonly (readonly number[])[])[];

function comparisonsOf(even: JudgedArm, { data, validation, seed }: WeightsOptions): Comparisons {
  const { judge, labels, rows } = data;
  const k = Math.min(comparedNeighbours, rows.train.length);
  const nearest = validation.nearest(even, even.weights, k).rows;
  const truth = labelsOf(labels, rows.validation);
  const random = new Random(seed);
  return Array.from(truth, (label, query) => {
    const worth = (row: number) => judge.worth(row, label);
    const found: number[][] = [];
    for (let draw = 0; draw < drawsPerQuery && found.length < comparisonsPerQuery; draw += 1) {
      const [a, b] = [
        nearest[query * k + random.below(k)] as number,
        nearest[query * k + random.below(k)] as number,
      ];
      if (worth(a) === worth(b)) continue;
      const [better, worse] = worth(a) > worth(b) ? [a, b] : [b, a];
      found.push(
        even.contenders.map(
          (contender) =>
            validation.cosine(contender, query, better) - validation.cosine(contender, query, worse),
        ),
      );
    }
    return found;
  });
}

interface FoldedFits {
  /** Per fold, learned from the other folds alone, the penalty included. */
  readonly weights: readonly (readonly number[])[];
  /** That told most of comparisons that it was not fitted on. */
  readonly penalty: number;
}

/**
 * How firmly weights are held to equal ones is chosen by the loss on other queries than they were fitted on: a sum of logarithms tells two
 * penalties apart by far fewer records than a share of right answers.
 */
function foldedFits(comparisons: Comparisons, folds: Folds): FoldedFits {
  const numbers = [...new Set(folds)].sort((a, b) => a - b);
  const queriesOf = (isOwn: (fold: number) => boolean) =>
    [...folds.keys()].filter((row) => isOwn(folds[row] as number));
  const fits = penalties.map((penalty) =>
    numbers.map((fold) => {
      const others = queriesOf((other) => other !== fold);
      const slopes = fitSlopes(comparisons, others, penalty);
      const held = queriesOf((other) => other === fold).flatMap((query) => comparisons[query] ?? []);
      const loss = held.length * rankingLoss(held, slopes, new Float64Array(slopes.length));
      return { weights: weightsOf(slopes), loss };
    }),
  );
  const best = (except: number | null) => {
    const losses = fits.map((of) => of.reduce((sum, { loss }, at) => sum + (at === except ? 0 : loss), 0));
    return losses.indexOf(Math.min(...losses));
  };
  return {
    weights: numbers.map((_, at) => fits[best(at)]?.[at]?.weights as readonly number[]),
    penalty: penalties[best(null)] as number,
  };
}

/** Each fold's scores with weights learned from the other folds, for each number of neighbours. [ks][validation rows]. */
function heldOutScores(
  even: JudgedArm,
  { weights }: FoldedFits,
  { data, validation }: WeightsOptions,
): readonly Float64Array[] {
  const { judge, labels, rows, folds } = data;
  const [known, truth] = [labelsOf(labels, rows.train), labelsOf(labels, rows.validation)];
  // The number of neighbours is chosen as it was for equal weights: else they would be compared by what only one of them may choose.
  const { ks } = judge;
  const scores = ks.map(() => new Float64Array(truth.length));
  for (const [fold, own] of weights.entries()) {
    const nearest = validation.nearest(even, own, Math.max(...ks));
    for (const [at, answer] of judge.predict(nearest, known, ks).entries()) {
      const told = scoresOf(answer, truth, judge.score);
      for (const [row, score] of told.entries())
        if (folds[row] === fold) (scores[at] as Float64Array)[row] = score;
    }
  }
  return scores;
}

/** How much a cosine of each space says, from the comparisons of some queries, which may be named more than once. */
function fitSlopes(comparisons: Comparisons, queries: Iterable<number>, penalty: number): Float64Array {
  const ahead = [...queries].flatMap((query) => comparisons[query] as Comparisons[number]);
  const spaces = comparisons.find((of) => of.length > 0)?.[0]?.length ?? 0;
  const slopes = new Float64Array(spaces).fill(1);
  if (ahead.length === 0) return slopes;
  const scale = scaleOf(ahead, spaces);
  const toSlopes = (deviations: Float64Array) => {
    for (const [space, deviation] of deviations.entries()) slopes[space] = scale * (1 + deviation);
    return slopes;
  };
  const deviations = minimise(
    (at, gradient) => {
      let loss = rankingLoss(ahead, toSlopes(at), gradient);
      for (const [space, deviation] of at.entries()) {
        loss += (penalty / 2) * deviation ** 2;
        gradient[space] = scale * (gradient[space] as number) + penalty * deviation;
      }
      return loss;
    },
    new Float64Array(spaces),
    minimising,
  );
  return toSlopes(deviations);
}

/** Of mean 1, none below 0; equal ones where nothing else is left. */
function weightsOf(slopes: Float64Array): readonly number[] {
  const kept = Array.from(slopes, (slope) => Math.max(0, slope));
  const mean = kept.reduce((sum, slope) => sum + slope, 0) / kept.length;
  return kept.map((slope) => (mean === 0 ? 1 : slope / mean));
}

/** How much a difference of cosines says with equal weights: it is held to nothing but being finite and above 0. */
function scaleOf(ahead: Comparisons[number], spaces: number): number {
  const slopes = new Float64Array(spaces);
  const [scale] = minimise(
    ([factor = 0], gradient) => {
      const loss = rankingLoss(ahead, new Float64Array(spaces).fill(factor), slopes);
      gradient[0] = slopes.reduce((sum, slope) => sum + slope, 0) + scalePenalty * factor;
      return loss + (scalePenalty / 2) * factor ** 2;
    },
    new Float64Array(1),
    minimising,
  );
  return Math.max(1, scale as number);
}

/** The mean of ln(1 + e^-(w · x)); sets its gradient by w. */
function rankingLoss(ahead: Comparisons[number], weights: Float64Array, gradient: Float64Array): number {
  gradient.fill(0);
  let loss = 0;
  for (const lead of ahead) {
    let margin = 0;
    for (let space = 0; space < lead.length; space += 1)
      margin += (lead[space] as number) * (weights[space] as number);
    const small = Math.exp(-Math.abs(margin));
    loss += Math.log1p(small) + Math.max(0, -margin);
    const slope = (margin > 0 ? small : 1) / (1 + small) / ahead.length;
    for (let space = 0; space < lead.length; space += 1)
      gradient[space] = (gradient[space] as number) - slope * (lead[space] as number);
  }
  return ahead.length === 0 ? 0 : loss / ahead.length;
}

/** Of queries that are drawn with repetition. */
function bootstrapWeights(
  comparisons: Comparisons,
  penalty: number,
  seed: number,
): readonly (readonly number[])[] {
  const random = new Random(seed);
  return Array.from({ length: bootstrapFits }, () =>
    weightsOf(
      fitSlopes(
        comparisons,
        comparisons.map(() => random.below(comparisons.length)),
        penalty,
      ),
    ),
  );
}
