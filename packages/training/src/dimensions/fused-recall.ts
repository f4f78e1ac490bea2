import { keepHighest } from "../evaluation/nearest-neighbours.ts";
import type { RowQuery } from "./queries.ts";
import type { Weighting } from "./weightings.ts";

/** Per space the cosines of its queries with all rows: [queries, rows]. */
export type SpaceCosines = readonly Float32Array[];

const k = 10;
/** Of a sum of cosines in single precision. */
const roundingMax = 1e-5;

/**
 * How many of the ten best rows are found by other vectors than those that say which these are: among the ten best by these, or among more
 * `candidates`, where the vectors that say it choose of them. Rows count by their score, not by their name: of many that are equally good any
 * will do. The rows that a query is made of don't count, they would be found by anything.
 */
export class FusedRecall {
  readonly weightings: readonly Weighting[];
  readonly #queries: readonly RowQuery[];
  readonly #exact: SpaceCosines;
  /** Of each weighting and query the tenth best score; NaN where the query says nothing of spaces that count. */
  readonly #leastGood: readonly Float64Array[];
  readonly #scores: Float64Array;
  readonly #best: { readonly rows: Int32Array; readonly cosines: Float64Array };

  /** `says`: whether the query has a segment of the space, by query and space. */
  constructor(
    weightings: readonly Weighting[],
    {
      queries,
      exact,
      rowCount,
      candidates = k,
      says,
    }: {
      readonly queries: readonly RowQuery[];
      readonly exact: SpaceCosines;
      readonly rowCount: number;
      /** At least ten. Default: ten. */
      readonly candidates?: number | undefined;
      readonly says: (query: number, space: number) => boolean;
    },
  ) {
    this.weightings = weightings;
    this.#queries = queries;
    this.#exact = exact;
    this.#scores = new Float64Array(rowCount);
    this.#best = { rows: new Int32Array(candidates), cosines: new Float64Array(candidates) };
    this.#leastGood = weightings.map(({ weights }) =>
      Float64Array.from(queries, (_, query) => {
        if (!weights.some((weight, space) => weight !== 0 && says(query, space))) return Number.NaN;
        this.#rank(exact, weights, query);
        return this.#best.cosines[k - 1] as number;
      }),
    );
  }

  /** Of each query, 0 to 1; NaN where it says nothing of spaces that count. */
  ofQueries(cosines: SpaceCosines, weighting: number): Float64Array {
    const { weights } = this.weightings[weighting] as Weighting;
    return Float64Array.from(this.#queries, (_, query) => {
      const leastGood = this.#leastGood[weighting]?.[query] as number;
      if (Number.isNaN(leastGood)) return Number.NaN;
      this.#rank(cosines, weights, query);
      let found = 0;
      for (const [at, row] of this.#best.rows.entries()) {
        // Where there are fewer rows than candidates, those that don't count come last.
        if (this.#best.cosines[at] === Number.NEGATIVE_INFINITY) break;
        if (this.#exactScore(weights, query, row) >= leastGood - roundingMax) found += 1;
      }
      return Math.min(found, k) / k;
    });
  }

  #exactScore(weights: readonly number[], query: number, row: number): number {
    const at = query * this.#scores.length + row;
    return weights.reduce((sum, weight, space) => sum + weight * (this.#exact[space]?.[at] as number), 0);
  }

  #rank(cosines: SpaceCosines, weights: readonly number[], query: number): void {
    const scores = this.#scores.fill(0);
    const from = query * scores.length;
    for (const [space, weight] of weights.entries()) {
      if (weight === 0) continue;
      const own = cosines[space] as Float32Array;
      for (let row = 0; row < scores.length; row += 1)
        scores[row] = (scores[row] as number) + weight * (own[from + row] as number);
    }
    for (const row of this.#queries[query] as RowQuery) scores[row] = Number.NEGATIVE_INFINITY;
    keepHighest(scores, -1, this.#best);
  }
}

/** Over the queries that say something; 1 where none does. */
export function meanRecall(ofQueries: Float64Array): number {
  let [sum, count] = [0, 0];
  for (const recall of ofQueries) {
    if (Number.isNaN(recall)) continue;
    sum += recall;
    count += 1;
  }
  return count === 0 ? 1 : sum / count;
}
