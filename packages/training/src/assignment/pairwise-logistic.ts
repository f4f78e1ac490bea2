import { Random } from "@medley/core";
import { minimise } from "../evaluation/lbfgs.ts";
import { type CosineTables, type JudgedArm, labelsOf } from "./arm.ts";
import type { TaskData } from "./task-data.ts";

const comparedNeighbours = 50;
const comparisonsPerQuery = 10;
/** Of most pairs both may be as good: few records are relevant to a query. */
const drawsPerQuery = 200;
const scalePenalty = 1e-4;
const minimising = { iterationsMax: 100, gradientMax: 1e-5 };
const bootstrapFits = 100;

/** Per query: by how much the better of two neighbours is ahead in each space. [comparisons][spaces]. */
export type Comparisons = readonly (readonly (readonly number[])[])[];

export function comparisonsOf(
  even: JudgedArm,
  {
    data,
    validation,
    seed,
  }: { readonly data: TaskData; readonly validation: CosineTables; readonly seed: number },
): Comparisons {
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

/**
 * How much a cosine of each space says, from the comparisons of some queries, which may be named more than once. `penalty` is how firmly
 * they are held to weights in the proportions of `centre`.
 */
export function fitSlopes(
  comparisons: Comparisons,
  queries: Iterable<number>,
  { penalty, centre }: { readonly penalty: number; readonly centre: readonly number[] },
): Float64Array {
  const ahead = [...queries].flatMap((query) => comparisons[query] as Comparisons[number]);
  const slopes = Float64Array.from(centre);
  if (ahead.length === 0) return slopes;
  const scale = scaleOf(ahead, centre);
  const toSlopes = (deviations: Float64Array) => {
    for (const [space, deviation] of deviations.entries())
      slopes[space] = scale * ((centre[space] as number) + deviation);
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
    new Float64Array(centre.length),
    minimising,
  );
  return toSlopes(deviations);
}

/** Of mean 1, none below 0; equal ones where nothing else is left. */
export function weightsOf(slopes: Float64Array): readonly number[] {
  const kept = Array.from(slopes, (slope) => Math.max(0, slope));
  const mean = kept.reduce((sum, slope) => sum + slope, 0) / kept.length;
  return kept.map((slope) => (mean === 0 ? 1 : slope / mean));
}

/** How much a difference of cosines says with weights as they are: it is held to nothing but being finite and above 0. */
function scaleOf(ahead: Comparisons[number], centre: readonly number[]): number {
  const slopes = new Float64Array(centre.length);
  const [scale] = minimise(
    ([factor = 0], gradient) => {
      const scaled = Float64Array.from(centre, (weight) => factor * weight);
      const loss = rankingLoss(ahead, scaled, slopes);
      const slope = slopes.reduce((sum, one, space) => sum + one * (centre[space] as number), 0);
      gradient[0] = slope + scalePenalty * factor;
      return loss + (scalePenalty / 2) * factor ** 2;
    },
    new Float64Array(1),
    minimising,
  );
  return Math.max(1, scale as number);
}

/** The mean of ln(1 + e^-(w · x)); sets its gradient by w. */
export function rankingLoss(
  ahead: Comparisons[number],
  weights: Float64Array,
  gradient: Float64Array,
): number {
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

/** The middle .95 of each weight, learned from queries that are drawn with repetition. */
export function weightIntervals(
  comparisons: Comparisons,
  {
    seed,
    ...fitting
  }: { readonly penalty: number; readonly centre: readonly number[]; readonly seed: number },
): readonly { readonly low: number; readonly high: number }[] {
  const random = new Random(seed);
  const drawn = Array.from({ length: bootstrapFits }, () => {
    const queries = comparisons.map(() => random.below(comparisons.length));
    return weightsOf(fitSlopes(comparisons, queries, fitting));
  });
  const [low, high] = [Math.floor(0.025 * drawn.length), Math.ceil(0.975 * drawn.length) - 1];
  return fitting.centre.map((_, at) => {
    const sorted = Float64Array.from(drawn, (one) => one[at] as number).sort();
    return { low: sorted[low] as number, high: sorted[high] as number };
  });
}
