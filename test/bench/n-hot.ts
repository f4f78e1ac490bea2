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
  const start = new Float64Array(biases + classCount);
  return minimise(
    (weights, gradient) => {
      let loss = 0;
      for (let at = 0; at < weights.length; at += 1) {
        const weight = at < biases ? (weights[at] as number) : 0;
        loss += (l2 / 2) * weight * weight;
        gradient[at] = l2 * weight;
      }
      for (const [row, own] of rows.entries()) {
        const scores = scoresOf(weights, own, { columns, classCount });
        const most = Math.max(...scores);
        const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
        loss += (most + Math.log(sum) - (scores[labels[row] as number] as number)) / rows.length;
        for (let label = 0; label < classCount; label += 1) {
          const probability = Math.exp((scores[label] as number) - most) / sum;
          const error = (probability - (label === labels[row] ? 1 : 0)) / rows.length;
          gradient[biases + label] = (gradient[biases + label] as number) + error;
          for (const column of own) {
            const at = column * classCount + label;
            gradient[at] = (gradient[at] as number) + error / Math.sqrt(own.length);
          }
        }
      }
      return loss;
    },
    start,
    solver,
  );
}

function predict(weights: Float64Array, { rows, columns }: NHot, classCount: number): Int32Array {
  return Int32Array.from(rows, (row) => {
    const scores = scoresOf(weights, row, { columns, classCount });
    return scores.indexOf(Math.max(...scores));
  });
}

function scoresOf(
  weights: Float64Array,
  row: readonly number[],
  { columns, classCount }: { columns: number; classCount: number },
): number[] {
  return Array.from({ length: classCount }, (_, label) =>
    row.reduce(
      (sum, column) => sum + (weights[column * classCount + label] as number) / Math.sqrt(row.length),
      weights[columns * classCount + label] as number,
    ),
  );
}
