import { type SparseMatrix, SparseRows } from "../linear-algebra/matrix.ts";

/**
 * The exponent of a context's frequency (Levy, Goldberg and Dagan, "Improving distributional similarity with lessons learned
 * from word embeddings", 2015): below 1 it makes rare contexts less surprising.
 */
const contextExponent = 0.75;

/**
 * Positive pointwise mutual information of the items that occur together in a basket, [items, items]: row c, column w holds
 * max(0, ln (P(w, c) / (P(w) P'(c)))), where P' is the smoothed frequency of c as a context. Each pair of distinct items of a
 * basket counts once in both directions; the diagonal is empty. `baskets` hold distinct numbers below `itemsCount`.
 */
export function positiveMutualInformation(
  baskets: readonly (readonly number[])[],
  itemsCount: number,
): SparseMatrix {
  const basketsOf = Array.from({ length: itemsCount }, (): number[] => []);
  /** Pairs that each item is in. */
  const pairs = new Float64Array(itemsCount);
  for (const [at, basket] of baskets.entries()) {
    for (const item of basket) {
      basketsOf[item]?.push(at);
      pairs[item] = (pairs[item] as number) + basket.length - 1;
    }
  }
  const smoothed = pairs.map((count) => count ** contextExponent);
  const smoothedTotal = smoothed.reduce((sum, count) => sum + count, 0);

  const rows = new SparseRows(itemsCount);
  const together = new Float64Array(itemsCount);
  for (const [context, own] of basketsOf.entries()) {
    const met = new Set<number>();
    for (const basket of own) {
      for (const item of baskets[basket] as readonly number[]) {
        if (item === context) continue;
        met.add(item);
        together[item] = (together[item] as number) + 1;
      }
    }
    const contextShare = (smoothed[context] as number) / smoothedTotal;
    const entries: [number, number][] = [];
    for (const item of met) {
      const information = Math.log((together[item] as number) / ((pairs[item] as number) * contextShare));
      if (information > 0) entries.push([item, information]);
      together[item] = 0;
    }
    rows.add(entries);
  }
  return rows.matrix();
}
