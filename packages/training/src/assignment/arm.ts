import {
  cosineTable,
  keepHighest,
  type Neighbours,
  type VectorTable,
} from "../evaluation/nearest-neighbours.ts";
import { type Cost, sumOfCosts } from "./cost.ts";
import { type CrossFitted, crossFit } from "./cross-fit.ts";
import type { Answers } from "./evidence.ts";
import type { Answer } from "./judge.ts";
import type { TaskData } from "./task-data.ts";

/** One way of encoding one space, and what it made of all records. */
export interface Contender {
  readonly space: string;
  /** Told apart from the space's others: `words, 128 dimensions`. */
  readonly candidate: string;
  /** [records, dimensions], of unit length or zero. Read whenever it is asked for: nobody holds the vectors of all contenders. */
  readonly readTable: () => VectorTable;
  readonly cost: Cost;
}

/** Contenders of different spaces whose cosines are added, each times a weight that is tried. */
export interface Arm {
  readonly contenders: readonly Contender[];
  /** Of the contenders, one list per setting; the first is preferred where all do equally well. */
  readonly weightings: readonly (readonly number[])[];
}

/** How an arm did on the validation rows, and the setting to go on with. */
export interface JudgedArm extends Arm {
  readonly fitted: CrossFitted;
  readonly weights: readonly number[];
  readonly neighbours: number;
  readonly cost: Cost;
}

const weightsTried = [1, 0.5, 2, 0.25, 4];

export function singleArm(contender: Contender): Arm {
  return { contenders: [contender], weightings: [[1]] };
}

export function pairArm(first: Contender, second: Contender): Arm {
  return { contenders: [first, second], weightings: weightsTried.map((weight) => [1, weight]) };
}

/** All with equal weights. */
export function evenArm(contenders: readonly Contender[]): Arm {
  return { contenders, weightings: [contenders.map(() => 1)] };
}

/**
 * The cosines of queries with known rows, kept per contender, since every fusion is a weighted sum of them. Bound: 4 bytes for each query
 * and known row of as many contenders as may be summed, one of each space: those that were asked for last.
 */
export class CosineTables {
  readonly #known: Int32Array;
  readonly #queries: Int32Array;
  readonly #tables = new Map<Contender, Float32Array>();

  readonly #tablesMax: number;

  constructor(rows: { readonly known: Int32Array; readonly queries: Int32Array }, tablesMax: number) {
    this.#known = rows.known;
    this.#queries = rows.queries;
    this.#tablesMax = tablesMax;
  }

  /** The k known rows of the highest weighted sum of cosines, for each query. */
  nearest({ contenders }: Arm, weights: readonly number[], k: number): Neighbours {
    const tables = contenders.map((contender) => this.#tableOf(contender));
    const [knownRows, queries] = [this.#known.length, this.#queries.length];
    const rows = new Int32Array(queries * k);
    const cosines = new Float64Array(queries * k);
    const sums = new Float64Array(knownRows);
    for (let query = 0; query < queries; query += 1) {
      sums.fill(0);
      for (const [at, table] of tables.entries()) {
        const weight = weights[at] as number;
        const from = query * knownRows;
        for (let row = 0; row < knownRows; row += 1)
          sums[row] = (sums[row] as number) + weight * (table[from + row] as number);
      }
      const nearest = {
        rows: rows.subarray(query * k, (query + 1) * k),
        cosines: cosines.subarray(query * k, (query + 1) * k),
      };
      keepHighest(sums, -1, nearest);
    }
    return { rows, cosines, k };
  }

  /** Of one query with one known row, both by their places here. */
  cosine(contender: Contender, query: number, row: number): number {
    return this.#tableOf(contender)[query * this.#known.length + row] as number;
  }

  /** Of one contender. [queries, known rows]. */
  #tableOf(contender: Contender): Float32Array {
    const table = this.#tables.get(contender) ?? this.#cosinesOf(contender);
    this.#tables.delete(contender);
    this.#tables.set(contender, table);
    return table;
  }

  #cosinesOf({ readTable }: Contender): Float32Array {
    const [oldest] = this.#tables.keys();
    if (this.#tables.size === this.#tablesMax) this.#tables.delete(oldest as Contender);
    const table = readTable();
    return cosineTable(rowsOf(table, this.#known), rowsOf(table, this.#queries));
  }
}

function rowsOf({ values, dimensions }: VectorTable, rows: Int32Array): VectorTable {
  const chosen = new Float32Array(rows.length * dimensions);
  for (const [at, row] of rows.entries())
    chosen.set(values.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions);
  return { values: chosen, dimensions };
}

/** To the validation rows, from the training rows, with every number of neighbours and every weighting. */
export function answersOf(arm: Arm, tables: CosineTables, { judge: { ks, answers } }: TaskData): Answers {
  return arm.weightings.flatMap((weights) => answers(tables.nearest(arm, weights, Math.max(...ks)), ks));
}

export function judgeArm(arm: Arm, answers: Answers, { judge, labels, rows, folds }: TaskData): JudgedArm {
  const { ks } = judge;
  const truth = labelsOf(labels, rows.validation);
  const fitted = crossFit(
    answers.map((answer) => scoresOf(answer, truth)),
    folds,
  );
  const weights = arm.weightings[Math.floor(fitted.setting / ks.length)] as readonly number[];
  const neighbours = ks[fitted.setting % ks.length] as number;
  return { ...arm, fitted, weights, neighbours, cost: sumOfCosts(arm.contenders.map(({ cost }) => cost)) };
}

/** The score of each test row, from the training rows as before, with the setting that the arm was judged to be best with. */
export function testArm(
  arm: JudgedArm,
  tables: CosineTables,
  { judge, labels, rows }: TaskData,
): Float64Array {
  const nearest = tables.nearest(arm, arm.weights, arm.neighbours);
  const [answer] = judge.answers(nearest, [arm.neighbours]);
  return scoresOf(answer as Answer, labelsOf(labels, rows.test));
}

export function scoresOf(answer: Answer, truth: Float64Array): Float64Array {
  return truth.map((label, query) => answer.score(query, label));
}

export function labelsOf(labels: Float64Array, rows: Int32Array): Float64Array {
  return Float64Array.from(rows, (row) => labels[row] as number);
}
