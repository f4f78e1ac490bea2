import { fitLogisticRegression, type LogisticRegression, Random, type VectorTable } from "@medley/training";

/** From almost none to one that all but forbids weights, for vectors of unit length. */
const penaltiesDefault = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3];

export interface Labelled {
  readonly vectors: VectorTable;
  readonly labels: ArrayLike<number>;
  readonly classCount: number;
}

/**
 * A logistic regression on vectors, its penalty chosen by cross-validation on the same rows, five-fold unless said.
 */
export function fitHead(
  known: Labelled,
  { penalties = penaltiesDefault, folds = 5 }: { penalties?: readonly number[]; folds?: number } = {},
): { head: LogisticRegression; l2: number } {
  const { classCount } = known;
  const order = new Random(1).shuffle(Array.from({ length: known.labels.length }, (_, row) => row));
  const accuracies = penalties.map((l2) => {
    let correct = 0;
    for (let fold = 0; fold < folds; fold += 1) {
      const train = partOf(
        known,
        order.filter((_, at) => at % folds !== fold),
      );
      const held = partOf(
        known,
        order.filter((_, at) => at % folds === fold),
      );
      const head = fitLogisticRegression(rowsOf(train), train.labels, { classCount, l2 });
      predictAll(head, held.vectors).forEach((label, row) => {
        if (label === held.labels[row]) correct += 1;
      });
    }
    return correct;
  });
  const l2 = penalties[accuracies.indexOf(Math.max(...accuracies))] as number;
  return { head: fitLogisticRegression(rowsOf(known), known.labels, { classCount, l2 }), l2 };
}

/** A class per vector. */
export function predictAll(head: LogisticRegression, { values, dimensions }: VectorTable): Int32Array {
  return Int32Array.from({ length: values.length / dimensions }, (_, row) =>
    head.predict(values.subarray(row * dimensions, (row + 1) * dimensions)),
  );
}

function rowsOf({ vectors }: Labelled) {
  return { columns: vectors.dimensions, values: vectors.values };
}

function partOf(
  { vectors: { values, dimensions }, labels, classCount }: Labelled,
  rows: readonly number[],
): Labelled {
  const part = new Float32Array(rows.length * dimensions);
  for (const [at, row] of rows.entries()) {
    part.set(values.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions);
  }
  return {
    vectors: { values: part, dimensions },
    labels: rows.map((row) => labels[row] as number),
    classCount,
  };
}
