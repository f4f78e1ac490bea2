import { strict as assert } from "node:assert";

/** Row-major: entry (i, j) is `values[i * columns + j]`. */
export interface DenseMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** Compressed sparse rows: row i holds `values[e]` in column `indices[e]` for `starts[i]` ≤ e < `starts[i + 1]`. */
export interface SparseMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/** Of a matrix that is held in memory. */
const entriesMax = 2 ** 30;

export function denseMatrix(rows: number, columns: number): DenseMatrix {
  assert(rows * columns <= entriesMax, `a matrix of ${rows} times ${columns} is too large`);
  return { rows, columns, values: new Float64Array(rows * columns) };
}

/** Collects a sparse matrix row by row, in arrays that double when they are full. */
export class SparseRows {
  readonly #columns: number;
  readonly #starts: number[] = [0];
  #indices = new Int32Array(1024);
  #values = new Float32Array(1024);

  constructor(columns: number) {
    this.#columns = columns;
  }

  /** A column that is named twice counts twice. */
  add(entries: Iterable<readonly [column: number, value: number]>): void {
    let at = this.#starts.at(-1) as number;
    for (const [column, value] of entries) {
      assert(Number.isInteger(column) && column >= 0 && column < this.#columns, "a column of the matrix");
      if (at === this.#indices.length) this.#grow();
      this.#indices[at] = column;
      this.#values[at++] = value;
    }
    this.#starts.push(at);
  }

  matrix(): SparseMatrix {
    const count = this.#starts.at(-1) as number;
    return {
      rows: this.#starts.length - 1,
      columns: this.#columns,
      starts: Int32Array.from(this.#starts),
      indices: this.#indices.subarray(0, count),
      values: this.#values.subarray(0, count),
    };
  }

  #grow(): void {
    const length = this.#indices.length * 2;
    assert(length <= entriesMax, "a sparse matrix of at most 2^30 entries");
    const [indices, values] = [new Int32Array(length), new Float32Array(length)];
    indices.set(this.#indices);
    values.set(this.#values);
    this.#indices = indices;
    this.#values = values;
  }
}

/** A X: [rows, k] for X [columns, k]. */
export function timesDense(matrix: SparseMatrix, dense: DenseMatrix): DenseMatrix {
  assert.equal(matrix.columns, dense.rows);
  const product = denseMatrix(matrix.rows, dense.columns);
  for (let row = 0; row < matrix.rows; row += 1) {
    const end = matrix.starts[row + 1] as number;
    for (let entry = matrix.starts[row] as number; entry < end; entry += 1) {
      addRow(product, row, matrix.values[entry] as number, dense, matrix.indices[entry] as number);
    }
  }
  return product;
}

/** Aᵀ X: [columns, k] for X [rows, k]. */
export function transposedTimesDense(matrix: SparseMatrix, dense: DenseMatrix): DenseMatrix {
  assert.equal(matrix.rows, dense.rows);
  const product = denseMatrix(matrix.columns, dense.columns);
  for (let row = 0; row < matrix.rows; row += 1) {
    const end = matrix.starts[row + 1] as number;
    for (let entry = matrix.starts[row] as number; entry < end; entry += 1) {
      addRow(product, matrix.indices[entry] as number, matrix.values[entry] as number, dense, row);
    }
  }
  return product;
}

/** target[targetRow] += factor * source[sourceRow]: the innermost loop of both products, over memory in order. */
function addRow(
  target: DenseMatrix,
  targetRow: number,
  factor: number,
  source: DenseMatrix,
  sourceRow: number,
): void {
  const width = source.columns;
  const from = source.values;
  const to = target.values;
  let i = targetRow * width;
  let j = sourceRow * width;
  for (const end = i + width; i < end; i += 1, j += 1) {
    to[i] = (to[i] as number) + factor * (from[j] as number);
  }
}

/** X Y: [X.rows, Y.columns]. */
export function multiply(left: DenseMatrix, right: DenseMatrix): DenseMatrix {
  assert.equal(left.columns, right.rows);
  const product = denseMatrix(left.rows, right.columns);
  for (let row = 0; row < left.rows; row += 1) {
    for (let inner = 0; inner < left.columns; inner += 1) {
      addRow(product, row, left.values[row * left.columns + inner] as number, right, inner);
    }
  }
  return product;
}

/** Xᵀ X: [columns, columns], symmetric. */
export function gramOf({ rows, columns, values }: DenseMatrix): DenseMatrix {
  const gram = denseMatrix(columns, columns);
  for (let row = 0; row < rows; row += 1) {
    for (let i = 0; i < columns; i += 1) {
      const factor = values[row * columns + i] as number;
      if (factor === 0) continue;
      // Above the diagonal alone; the rest is its mirror.
      for (let j = i; j < columns; j += 1) {
        const at = i * columns + j;
        gram.values[at] = (gram.values[at] as number) + factor * (values[row * columns + j] as number);
      }
    }
  }
  for (let i = 0; i < columns; i += 1) {
    for (let j = 0; j < i; j += 1) gram.values[i * columns + j] = gram.values[j * columns + i] as number;
  }
  return gram;
}

export function transpose({ rows, columns, values }: DenseMatrix): DenseMatrix {
  const turned = denseMatrix(columns, rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      turned.values[column * rows + row] = values[row * columns + column] as number;
    }
  }
  return turned;
}

/** The sum of the squares of all entries. */
export function squaredNorm({ values }: { readonly values: Float32Array | Float64Array }): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}
