import { strict as assert } from "node:assert";

/** One query: what was found, best first, and what should have been; `relevant` is not empty. */
export interface RankedQuery<Id> {
  readonly ranked: readonly Id[];
  readonly relevant: ReadonlySet<Id>;
}

/**
 * Area under the precision-recall curve as average precision: the sum over thresholds of precision · gain in recall, without
 * interpolation. `positive`: 1 where the row is of the class looked for, at least once. Equal scores are one threshold.
 */
export function averagePrecision(positive: ArrayLike<number>, scores: ArrayLike<number>): number {
  const positives = countOf(positive, scores);
  assert(positives > 0, "a positive row");
  let [sum, found, seen] = [0, 0, 0];
  for (const { hits, rows } of thresholds(positive, scores)) {
    found += hits;
    seen += rows;
    sum += (hits / positives) * (found / seen);
  }
  return sum;
}

/** The chance that a positive row scores above a negative one, ties counting half; both kinds occur. */
export function rocAuc(positive: ArrayLike<number>, scores: ArrayLike<number>): number {
  const positives = countOf(positive, scores);
  const negatives = positive.length - positives;
  assert(positives > 0 && negatives > 0, "positive and negative rows");
  let [pairs, above] = [0, 0];
  for (const { hits, rows } of thresholds(positive, scores)) {
    pairs += (rows - hits) * (above + hits / 2);
    above += hits;
  }
  return pairs / positives / negatives;
}

/**
 * Mean over queries of the share of what is relevant that is among the first k. A query with more than k relevant ids can't
 * reach 1.
 */
export function recallAtK<Id>(queries: readonly RankedQuery<Id>[], { k }: { readonly k: number }): number {
  assert(queries.length > 0, "a query");
  assert(k > 0, "k above 0");
  let sum = 0;
  for (const { ranked, relevant } of queries) {
    assert(relevant.size > 0, "a query has something relevant");
    const found = new Set(ranked.slice(0, k)).intersection(relevant);
    sum += found.size / relevant.size;
  }
  return sum / queries.length;
}

/** From the highest score down: of the rows with one and the same score, how many there are and how many are positive. */
function* thresholds(
  positive: ArrayLike<number>,
  scores: ArrayLike<number>,
): Generator<{ hits: number; rows: number }> {
  const order = Uint32Array.from({ length: scores.length }, (_, row) => row);
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number));
  for (let start = 0; start < order.length; ) {
    let [end, hits] = [start, 0];
    const score = scores[order[start] as number];
    for (; end < order.length && scores[order[end] as number] === score; end += 1) {
      hits += positive[order[end] as number] as number;
    }
    yield { hits, rows: end - start };
    start = end;
  }
}

function countOf(positive: ArrayLike<number>, scores: ArrayLike<number>): number {
  assert(positive.length === scores.length, "a score per row");
  let count = 0;
  for (let row = 0; row < positive.length; row += 1) {
    assert(positive[row] === 0 || positive[row] === 1, "positive is 0 or 1");
    assert(Number.isFinite(scores[row]), "scores are finite");
    count += positive[row] as number;
  }
  return count;
}
