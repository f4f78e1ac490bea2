import { strict as assert } from "node:assert";
import { type BootstrapInterval, pairedBootstrap } from "../evaluation/bootstrap.ts";
import { type CosineTables, type JudgedArm, labelsOf, scoresOf, testArm } from "./arm.ts";
import { type ClassWeights, learnClassWeights } from "./class-weights.ts";
import { crossFit, type Folds } from "./cross-fit.ts";
import {
  type Comparisons,
  comparisonsOf,
  fitSlopes,
  rankingLoss,
  weightIntervals,
  weightsOf,
} from "./pairwise-logistic.ts";
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
  /** Of queries that say which class they are of. */
  readonly classes: readonly ClassWeights[];
}

export interface WeightsOptions {
  readonly data: TaskData;
  readonly validation: CosineTables;
  readonly test: CosineTables;
  readonly seed: number;
}

/** What equal weights are held to, from hardly to firmly. */
const penalties = [1, 0.1, 0.01, 0.001];
const intervalResamples = 2_000;

/**
 * Pairwise logistic regression on the spaces' cosines: of two neighbours of a record the one whose label is the better answer should score
 * higher. Weights are drawn towards equal ones (Joachims, "Optimizing search engines using clickthrough data", 2002, with the prior of equal
 * weights); how firmly, and whether they are used at all, is told by records that they were not learned from. `even`: all with equal weights.
 */
export function learnWeights(even: JudgedArm, options: WeightsOptions): LearnedWeights {
  const { data, test, seed } = options;
  assert(even.contenders.length > 1, "spaces to weigh");
  const comparisons = comparisonsOf(even, options);
  const folded = foldedFits(comparisons, data.folds, even.weights);
  const { scores, setting } = crossFit(heldOutScores(even, folded, options), data.folds);
  const validation = pairedBootstrap(scores, even.fitted.scores, { seed, resamples: intervalResamples });
  const neighbours = data.judge.ks[setting] as number;
  const fitting = { penalty: folded.penalty, centre: even.weights };
  const weights = weightsOf(fitSlopes(comparisons, comparisons.keys(), fitting));
  const [testScores, evenScores] = [
    testArm({ ...even, weights, neighbours }, test, data),
    testArm(even, test, data),
  ];
  const onTest = pairedBootstrap(testScores, evenScores, { seed, resamples: intervalResamples });
  const isUsed = validation.isGain && onTest.difference >= 0;
  const shared = isUsed
    ? { weights, byFold: folded.weights, scores, testScores }
    : {
        ...{ weights: even.weights, byFold: folded.weights.map(() => even.weights) },
        ...{ scores: even.fitted.scores, testScores: evenScores },
      };
  const intervals = weightIntervals(comparisons, { ...fitting, seed });
  return {
    weights: even.contenders.map(({ space }, at) => {
      const { low, high } = intervals[at] as (typeof intervals)[number];
      return { space, weight: weights[at] as number, low, high };
    }),
    validation,
    test: onTest,
    isUsed,
    classes: learnClassWeights(even, { comparisons, shared }, options),
  };
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
function foldedFits(comparisons: Comparisons, folds: Folds, centre: readonly number[]): FoldedFits {
  const numbers = [...new Set(folds)].sort((a, b) => a - b);
  const queriesOf = (isOwn: (fold: number) => boolean) =>
    [...folds.keys()].filter((row) => isOwn(folds[row] as number));
  const fits = penalties.map((penalty) =>
    numbers.map((fold) => {
      const others = queriesOf((other) => other !== fold);
      const slopes = fitSlopes(comparisons, others, { penalty, centre });
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
  const truth = labelsOf(labels, rows.validation);
  // The number of neighbours is chosen as it was for equal weights: else they would be compared by what only one of them may choose.
  const { ks } = judge;
  const scores = ks.map(() => new Float64Array(truth.length));
  for (const [fold, own] of weights.entries()) {
    const nearest = validation.nearest(even, own, Math.max(...ks));
    for (const [at, answer] of judge.answers(nearest, ks).entries()) {
      const told = scoresOf(answer, truth);
      for (const [row, score] of told.entries())
        if (folds[row] === fold) (scores[at] as Float64Array)[row] = score;
    }
  }
  return scores;
}
