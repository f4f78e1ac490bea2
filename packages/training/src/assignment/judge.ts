import { strict as assert } from "node:assert";
import { electClasses, type Neighbours } from "../evaluation/nearest-neighbours.ts";

/** What one setting answers to all queries. */
export interface Answer {
  /** How good the answer to a query is, by the query's place, were `truth` its label: 1 for a right one. */
  score(query: number, truth: number): number;
}

/** How neighbours answer a kind of task, and how good an answer is. */
export interface Judge {
  /** Numbers of neighbours that may answer, in the order in which equals are preferred. */
  readonly ks: readonly number[];
  /** By the first k neighbours of each query, for each k; neighbours are places among the known rows. */
  answers(neighbours: Neighbours, ks: readonly number[]): readonly Answer[];
  /** How good a neighbour a known row is, by its place among them. */
  worth(row: number, truth: number): number;
  /** The answer of whoever knows the labels but no record. */
  readonly baseline: Answer;
}

export type LabelKind = "classification" | "regression";

const neighboursTried = [15, 5, 1, 3, 9, 25, 51];

/** As far as there are so many known rows. */
export function numbersOfNeighbours(known: number): readonly number[] {
  assert(known > 0, "known rows");
  return neighboursTried.filter((k) => k <= known);
}

/** By the labels that are known: classes, 0 ≤ class < classCount, or numbers. */
export function judgeOf(kind: LabelKind, known: Float64Array, classCount: number): Judge {
  const judge = kind === "classification" ? classes(known, classCount) : numbers(known);
  const of = (predicted: Float64Array): Answer => ({
    score: (query, truth) => judge.score(predicted[query] as number, truth),
  });
  return {
    ks: numbersOfNeighbours(known.length),
    answers: (neighbours, ks) => ks.map((k) => of(judge.predict(neighbours, k))),
    worth: (row, truth) => judge.score(known[row] as number, truth),
    baseline: { score: (_query, truth) => judge.score(judge.baseline, truth) },
  };
}

interface LabelJudge {
  /** One per query. */
  predict(neighbours: Neighbours, k: number): Float64Array;
  score(predicted: number, truth: number): number;
  readonly baseline: number;
}

/** The class of most votes; 1 where it is right: the mean is the accuracy. The baseline is the most frequent class. */
function classes(known: Float64Array, classCount: number): LabelJudge {
  const counts = new Int32Array(classCount);
  for (const label of known) counts[label] = (counts[label] as number) + 1;
  return {
    predict: ({ rows, k: width }, k) => {
      const queries = rows.length / width;
      const first = new Int32Array(queries * k);
      for (let at = 0; at < queries; at += 1) first.set(rows.subarray(at * width, at * width + k), at * k);
      return Float64Array.from(electClasses({ labels: known, classCount }, { rows: first, k }));
    },
    score: (predicted, truth) => (predicted === truth ? 1 : 0),
    baseline: counts.indexOf(Math.max(...counts)),
  };
}

/**
 * The mean over the neighbours; 1 less the error in units of the mean error of the median, which is the baseline: 0 is what it scores
 * itself, on average, and 1 would be without an error.
 */
function numbers(known: Float64Array): LabelJudge {
  const median = Float64Array.from(known).sort()[Math.floor(known.length / 2)] as number;
  const scale = known.reduce((sum, value) => sum + Math.abs(value - median), 0) / known.length;
  return {
    predict: ({ rows, k: width }, k) =>
      Float64Array.from({ length: rows.length / width }, (_, query) => {
        let sum = 0;
        for (let at = query * width; at < query * width + k; at += 1)
          sum += known[rows[at] as number] as number;
        return sum / k;
      }),
    score: (predicted, truth) => 1 - Math.abs(predicted - truth) / (scale === 0 ? 1 : scale),
    baseline: median,
  };
}
