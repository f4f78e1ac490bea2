import { strict as assert } from "node:assert";
import { minimise, Random } from "@medley/training";

/** Rows of 1/√n for each of a record's n known categories: of unit length, or empty. */
export interface NHot {
  readonly rows: readonly (readonly number[])[];
  readonly columns: number;
}

/** Every category of at least two of the known records has a dimension. */
export function nHot(known: readonly (readonly string[])[], asked: readonly (readonly string[])[]) {
  const counts = new Map<string, number>();
  for (const record of known)
    for (const name of new Set(record)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const kept = [...counts].filter(([, count]) => count >= 2).map(([name]) => name);
  const columns = new Map(kept.map((name, column) => [name, column]));
  const rowsOf = (records: readonly (readonly string[])[]): NHot => ({
    columns: columns.size,
    rows: records.map((record) =>
      [...new Set(record)].flatMap((name) => {
        const column = columns.get(name);
        return column === undefined ? [] : [column];
      }),
    ),
  });
  return { known: rowsOf(known), asked: rowsOf(asked) };
}

/** Votes of the `k` known rows of the highest cosine; rows that share nothing have no vote. */
export function classifyNHotByNeighbours(
  { known, labels, classCount, k }: { known: NHot; labels: readonly number[]; classCount: number; k: number },
  asked: NHot,
): Int32Array {
  const holders = Array.from({ length: known.columns }, (): number[] => []);
  for (const [row, columns] of known.rows.entries()) for (const column of columns) holders[column]?.push(row);
  return Int32Array.from(asked.rows, (columns) => {
    const shared = new Map<number, number>();
    for (const row of columns.flatMap((column) => holders[column] as number[])) {
      const norm = Math.sqrt((known.rows[row] as readonly number[]).length);
      shared.set(row, (shared.get(row) ?? 0) + 1 / norm);
    }
    const votes = new Array<number>(classCount).fill(0);
    const nearest = [...shared].sort(([a, x], [b, y]) => y - x || a - b).slice(0, k);
    for (const [row] of nearest) votes[labels[row] as number] = (votes[labels[row] as number] as number) + 1;
    return votes.indexOf(Math.max(...votes));
  });
}

const penalties = [1e-5, 3e-5, 1e-4, 3e-4];
const folds = 3;
const solver = { iterationsMax: 200, gradientMax: 1e-5 };

/** Multinomial logistic regression, its penalty chosen by three-fold cross-validation on the known rows. */
export function classifyNHotByLogistic(
  { known, labels, classCount }: { known: NHot; labels: readonly number[]; classCount: number },
  asked: NHot,
): Int32Array {
  const order = new Random(1).shuffle([...known.rows.keys()]);
  const right = penalties.map((l2) => {
    let correct = 0;
    for (let fold = 0; fold < folds; fold += 1) {
      const [train, held] = [false, true].map((isHeld) =>
        order.filter((_, at) => (at % folds === fold) === isHeld),
      ) as [number[], number[]];
      const part = (rows: number[]): NHot => ({ ...known, rows: rows.map((row) => known.rows[row] ?? []) });
      const weights = fitWeights(
        part(train),
        train.map((row) => labels[row] as number),
        { classCount, l2 },
      );
      predict(weights, part(held), classCount).forEach((label, at) => {
        if (label === labels[held[at] as number]) correct += 1;
      });
    }
    return correct;
  });
  const l2 = penalties[right.indexOf(Math.max(...right))] as number;
  return predict(fitWeights(known, labels, { classCount, l2 }), asked, classCount);
}

/** [columns + 1, classes]: the last row holds the biases, which have no penalty. */
function fitWeights(
  { rows, columns }: NHot,
  labels: readonly number[],
  { classCount, l2 }: { classCount: number; l2: number },
): Float64Array {
  assert.equal(rows.length, labels.length);
  const biases = columns * classCount;
  const scores = new Float64Array(classCount);
  return minimise(
    (weights, gradient) => {
      let loss = 0;
      for (let at = 0; at < weights.length; at += 1) {
        const weight = at < biases ? (weights[at] as number) : 0;
        loss += (l2 / 2) * weight * weight;
        gradient[at] = l2 * weight;
      }
      for (const [row, own] of rows.entries()) {
        const label = labels[row] as number;
        scoresInto(scores, weights, own);
        const most = Math.max(...scores);
        let sum = 0;
        for (let one = 0; one < classCount; one += 1) sum += Math.exp((scores[one] as number) - most);
        loss += (most + Math.log(sum) - (scores[label] as number)) / rows.length;
        const share = 1 / Math.sqrt(own.length);
        for (let one = 0; one < classCount; one += 1) {
          const probability = Math.exp((scores[one] as number) - most) / sum;
          const error = (probability - (one === label ? 1 : 0)) / rows.length;
          gradient[biases + one] = (gradient[biases + one] as number) + error;
          for (const column of own) {
            const at = column * classCount + one;
            gradient[at] = (gradient[at] as number) + error * share;
          }
        }
      }
      return loss;
    },
    new Float64Array(biases + classCount),
    solver,
  );
}

function predict(weights: Float64Array, { rows }: NHot, classCount: number): Int32Array {
  const scores = new Float64Array(classCount);
  return Int32Array.from(rows, (row) => {
    scoresInto(scores, weights, row);
    return scores.indexOf(Math.max(...scores));
  });
}

function scoresInto(scores: Float64Array, weights: Float64Array, row: readonly number[]): void {
  const biases = weights.length - scores.length;
  const share = 1 / Math.sqrt(row.length);
  for (let one = 0; one < scores.length; one += 1) {
    let sum = 0;
    for (const column of row) sum += weights[column * scores.length + one] as number;
    scores[one] = (weights[biases + one] as number) + (row.length === 0 ? 0 : sum * share);
  }
}
