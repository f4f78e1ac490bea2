import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import { crossFittedMean, type Folds, foldSums } from "./cross-fit.ts";
import type { Answer } from "./judge.ts";

/** What an arm answers, by setting. */
export type Answers = readonly Answer[];

export interface EvidenceOptions {
  readonly truth: Float64Array;
  readonly folds: Folds;
  readonly seed: number;
  /** Default 999. */
  readonly permutations?: number;
}

/**
 * How likely each arm's mean score would be if its answers had nothing to do with the truth: the share of permutations of the truth in
 * which the best of all arms, each tuned anew, scores as high. Since it is the best of all that is compared (Westfall and Young's maximum
 * statistic, 1993), the chance that any of the arms is taken for telling by accident is no more than the level asked for.
 */
export function permutationValues(arms: readonly Answers[], options: EvidenceOptions): readonly number[] {
  const { truth, seed, permutations = 999 } = options;
  assert(arms.length > 0 && truth.length > 0, "arms and rows");
  const means = (labels: Float64Array) => arms.map((answers) => meanScore(answers, labels, options));
  const observed = means(truth);
  const random = new Random(seed);
  const reached = new Int32Array(arms.length);
  const shuffled = Float64Array.from(truth);
  for (let permutation = 0; permutation < permutations; permutation += 1) {
    const best = Math.max(...means(random.shuffle(shuffled)));
    for (const [arm, mean] of observed.entries())
      if (best >= mean - 1e-12) reached[arm] = (reached[arm] as number) + 1;
  }
  return Array.from(reached, (count) => (1 + count) / (1 + permutations));
}

function meanScore(answers: Answers, truth: Float64Array, { folds }: EvidenceOptions): number {
  const sums = answers.map((answer) => foldSums(folds, (row) => answer.score(row, truth[row] as number)));
  return crossFittedMean(sums, truth.length);
}
