import { strict as assert } from "node:assert";
import { recallAtK as meanRecallAtK } from "@medley/training";

/** Grades of one query's documents; what is not named, or graded 0 or less, is not relevant. */
export type Grades = ReadonlyMap<string, number>;

/**
 * Normalised discounted cumulative gain as in trec_eval: the gain is the grade itself, halved by rank as log2(rank + 1), over what the best
 * order of all graded documents would gain. Järvelin and Kekäläinen 2002.
 */
export function ndcgAtK(ranked: readonly string[], grades: Grades, { k }: { readonly k: number }): number {
  const gain = (id: string) => Math.max(grades.get(id) ?? 0, 0);
  const ideal = discounted(
    [...grades.values()].map((grade) => Math.max(grade, 0)).sort((a, b) => b - a),
    k,
  );
  assert(ideal > 0, "a query has something relevant");
  return discounted(ranked.map(gain), k) / ideal;
}

/** One over the rank of the first that is relevant; 0 where it is not among the first k. */
export function reciprocalRankAtK(
  ranked: readonly string[],
  grades: Grades,
  { k }: { readonly k: number },
): number {
  const at = ranked.slice(0, k).findIndex((id) => (grades.get(id) ?? 0) > 0);
  return at < 0 ? 0 : 1 / (at + 1);
}

/** The share of what is relevant that is among the first k. */
export function recallAtK(ranked: readonly string[], grades: Grades, { k }: { readonly k: number }): number {
  const relevant = new Set([...grades].filter(([, grade]) => grade > 0).map(([id]) => id));
  return meanRecallAtK([{ ranked, relevant }], { k });
}

function discounted(gains: readonly number[], k: number): number {
  return gains.slice(0, k).reduce((sum, gain, at) => sum + gain / Math.log2(at + 2), 0);
}
