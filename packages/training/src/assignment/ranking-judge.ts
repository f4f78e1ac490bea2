import type { Answer, Judge } from "./judge.ts";

/** A query and what is relevant to it, by the rows of tables. */
export interface QueryRow {
  readonly row: number;
  /** A record of the query's own id, which does not count; null: there is none. */
  readonly self: number | null;
  /** What kind of query it is, where it says so: its weights may be learned by themselves. */
  readonly class: string | null;
  /** By record; at least one is above 0. */
  readonly grades: ReadonlyMap<number, number>;
}

const hits = 10;

/** Scores the order of a query's nearest records by nDCG@10 (Järvelin and Kekäläinen, 2002), with grades as gains as in trec_eval. */
export function rankingJudge(queries: readonly QueryRow[], records: number): Judge {
  const ideals = queries.map(({ grades }) => discounted([...grades.values()].sort((a, b) => b - a)));
  const gain = (row: number, query: number) => Math.max(0, queries[query]?.grades.get(row) ?? 0);
  const score = (ranking: Int32Array, query: number) => {
    const found = ranking.filter((row) => row !== queries[query]?.self);
    return discounted(Array.from(found, (row) => gain(row, query))) / (ideals[query] as number);
  };
  return {
    // One more, since the query's own record is passed over.
    ks: [Math.min(hits + 1, records)],
    // A label is the number of a query: a ranking is compared with the judgements of any.
    answers: ({ rows, k: width }, ks) =>
      ks.map(
        (k): Answer => ({ score: (at, query) => score(rows.subarray(at * width, at * width + k), query) }),
      ),
    worth: gain,
    baseline: { score: () => 0 },
  };
}

function discounted(gains: readonly number[]): number {
  return gains.slice(0, hits).reduce((sum, gain, at) => sum + Math.max(0, gain) / Math.log2(at + 2), 0);
}
