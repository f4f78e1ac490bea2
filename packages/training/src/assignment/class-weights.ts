import { type BootstrapInterval, pairedBootstrap } from "../evaluation/bootstrap.ts";
import { type JudgedArm, labelsOf, testArm } from "./arm.ts";
import type { LearnedWeights, WeightsOptions } from "./fusion-weights.ts";
import type { Answer } from "./judge.ts";
import { type Comparisons, fitSlopes, rankingLoss, weightIntervals, weightsOf } from "./pairwise-logistic.ts";

/** What spaces should weigh for queries of one class, and whether that is any better than what they weigh for all. */
export interface ClassWeights extends Pick<LearnedWeights, "weights" | "validation" | "test" | "isUsed"> {
  readonly class: string;
  /** That chose and that confirmed. */
  readonly queries: { readonly validation: number; readonly test: number };
}

/** What serves queries of all classes. */
export interface SharedWeights {
  readonly weights: readonly number[];
  /** Learned without the queries of each fold. */
  readonly byFold: readonly (readonly number[])[];
  /** Of validation queries, by weights that were not learned from them. */
  readonly scores: Float64Array;
  readonly testScores: Float64Array;
}

/** How firmly a class is held to the shared weights: as if so many queries asked for just these. */
const strengths = [300, 30, 3, 0.3];
/** Of a class, to choose by as to confirm by: fewer tell nothing. */
const queriesMin = 10;
const intervalResamples = 2_000;
const level = 0.05;

/**
 * Partial pooling: the weights of a class are the shared ones and a deviation, which few queries hardly move and many do. How firmly all classes are
 * held is told by the loss on queries that they were not fitted on. Intervals hold for all classes at once (Bonferroni), so that of many
 * classes none is used by accident. Classes of fewer than 10 queries on either side are left out.
 */
export function learnClassWeights(
  even: JudgedArm,
  { comparisons, shared }: { readonly comparisons: Comparisons; readonly shared: SharedWeights },
  options: WeightsOptions,
): readonly ClassWeights[] {
  const { data, test, seed } = options;
  const places = placesByClass(data.rows.validation, data.classOf);
  const held = placesByClass(data.rows.test, data.classOf);
  const classes = [...places]
    .filter(([name, of]) => of.length >= queriesMin && (held.get(name)?.length ?? 0) >= queriesMin)
    .map(([name, own]): Class => ({ name, own, held: held.get(name) as readonly number[] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (classes.length === 0) return [];
  const folded = foldedFits(classes, { comparisons, shared }, options);
  const interval = (own: Float64Array, of: Float64Array, at: readonly number[]): BootstrapInterval =>
    pairedBootstrap(picked(own, at), picked(of, at), {
      ...{ seed, resamples: intervalResamples, confidence: 1 - level / classes.length },
    });
  return classes.map((one, at) => {
    const { name, own } = one;
    const fitting = { penalty: folded.strength / own.length, centre: shared.weights };
    const ownComparisons = own.map((query) => comparisons[query] as Comparisons[number]);
    const weights = weightsOf(fitSlopes(comparisons, own, fitting));
    const intervals = weightIntervals(ownComparisons, { ...fitting, seed });
    const scores = heldOutScores(even, { own, weights: folded.weights[at] as FoldWeights }, options);
    const testScores = testArm({ ...even, weights, neighbours: data.judge.ks[0] as number }, test, data);
    const [validation, onTest] = [
      interval(scores, shared.scores, own),
      interval(testScores, shared.testScores, one.held),
    ];
    return {
      class: name,
      queries: { validation: own.length, test: one.held.length },
      weights: even.contenders.map(({ space }, place) => {
        const { low, high } = intervals[place] as (typeof intervals)[number];
        return { space, weight: weights[place] as number, low, high };
      }),
      ...{ validation, test: onTest, isUsed: validation.isGain && onTest.difference >= 0 },
    };
  });
}

interface Class {
  readonly name: string;
  /** Places among the validation rows. */
  readonly own: readonly number[];
  /** Places among the test rows. */
  readonly held: readonly number[];
}

/** By fold, learned without its queries. */
type FoldWeights = readonly (readonly number[])[];

function placesByClass(
  rows: Int32Array,
  classOf: (row: number) => string | null,
): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [place, row] of rows.entries()) {
    const name = classOf(row);
    if (name === null) continue;
    places.set(name, [...(places.get(name) ?? []), place]);
  }
  return places;
}

/** The weights of each class by fold, with the strength that is best on the other folds, and the strength that is best on all. */
function foldedFits(
  classes: readonly Class[],
  { comparisons, shared }: { readonly comparisons: Comparisons; readonly shared: SharedWeights },
  { data: { folds } }: WeightsOptions,
): { readonly weights: readonly FoldWeights[]; readonly strength: number } {
  const fits = strengths.map((strength) =>
    classes.map(({ own }) =>
      shared.byFold.map((centre, fold) => {
        const others = own.filter((query) => folds[query] !== fold);
        const penalty = strength / Math.max(1, others.length);
        const slopes = fitSlopes(comparisons, others, { penalty, centre });
        const held = own
          .filter((query) => folds[query] === fold)
          .flatMap((query) => comparisons[query] ?? []);
        const loss = held.length * rankingLoss(held, slopes, new Float64Array(slopes.length));
        return { weights: weightsOf(slopes), loss };
      }),
    ),
  );
  const best = (except: number | null) => {
    const losses = fits.map((of) =>
      of.flat().reduce((sum, { loss }, at) => {
        return sum + (at % shared.byFold.length === except ? 0 : loss);
      }, 0),
    );
    return losses.indexOf(Math.min(...losses));
  };
  return {
    weights: classes.map((_, at) =>
      shared.byFold.map((_, fold) => fits[best(fold)]?.[at]?.[fold]?.weights as readonly number[]),
    ),
    strength: strengths[best(null)] as number,
  };
}

/** Of the class's validation queries, each by weights that were learned from other folds; the others' are 0. */
function heldOutScores(
  even: JudgedArm,
  { own, weights }: { readonly own: readonly number[]; readonly weights: FoldWeights },
  { data: { judge, labels, rows, folds }, validation }: WeightsOptions,
): Float64Array {
  const truth = labelsOf(labels, rows.validation);
  const scores = new Float64Array(truth.length);
  const [k] = judge.ks as [number];
  for (const [fold, of] of weights.entries()) {
    const [answer] = judge.answers(validation.nearest(even, of, k), [k]) as [Answer];
    for (const query of own)
      if (folds[query] === fold) scores[query] = answer.score(query, truth[query] as number);
  }
  return scores;
}

function picked(scores: Float64Array, places: readonly number[]): Float64Array {
  return Float64Array.from(places, (place) => scores[place] as number);
}
