import type { Judge } from "./judge.ts";

/** A query and what is relevant to it, by the rows of tables. */
export interface QueryRow {
  readonly row: number;
  /** A record of the query's own id, which does not count; null: there is none. */
  readonly self: number | null;
  /** By record; at least one is above 0. */
  readonly grades: ReadonlyMap<number, number>;
}

const hits = 10;

/**
 * Scores the order of a query's nearest records by nDCG@10 (Järvelin and Kekäläinen, 2002), with grades as gains as in trec_eval. An answer is
 * the number of a ranking, since rankings are compared with the judgements of any query; the baseline finds nothing.
 */
export function rankingJudge(queries: readonly QueryRow[], records: number): Judge {
  const rankings: Int32Array[] = [];
  const ideals = queries.map(({ grades }) => discounted([...grades.values()].sort((a, b) => b - a)));
  const gain = (row: number, query: number) => Math.max(0, queries[query]?.grades.get(row) ?? 0);
  return {
    // One more, since the query's own record is passed over.
    ks: [Math.min(hits + 1, records)],
    predict: ({ rows, k: width }, _labels, ks) =>
      ks.map((k) =>
        Float64Array.from({ length: rows.length / width }, (_, at) => {
          rankings.push(rows.slice(at * width, at * width + k));
          return rankings.length - 1;
        }),
      ),
    score: (ranking, query) => {
      const found = (rankings[ranking] ?? new Int32Array(0)).filter((row) => row !== queries[query]?.self);
      return discounted(Array.from(found, (row) => gain(row, query))) / (ideals[query] as number);
    },
    worth: gain,
    baseline: -1,
  };
}

function discounted(gains: readonly number[]): number {
  return gains.slice(0, hits).reduce((sum, gain, at) => sum + Math.max(0, gain) / Math.log2(at + 2), 0);
}
