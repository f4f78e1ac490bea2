import { normalize, Random, type ReducedBy } from "@medley/core";
import { canBeCut, type Matryoshka } from "@medley/models";
import { cosineTable, type VectorTable } from "../evaluation/nearest-neighbours.ts";
import type { DenseMatrix } from "../linear-algebra/matrix.ts";
import { principalAxes, randomAxes, SecondMoment } from "../projection/axes.ts";

/** A space of a collection, and how its dimensions may be made fewer. */
export interface BudgetSpace {
  readonly space: string;
  /** Of all records: unit length or all zero. */
  readonly table: VectorTable;
  /** False: it stays as it is. */
  readonly isReducible: boolean;
  /** To how many first dimensions its model was trained to be cut. */
  readonly cuts: Matryoshka;
}

/** Of so many dimensions, and how they come about; null: as the encoder gives them. */
export interface Rung {
  readonly to: number;
  readonly by: ReducedBy | null;
}

const stepShare = 0.85;
/** A step further down leaves nothing to tell rows apart by. */
const dimensionsMin = 8;
/** Finding more principal axes takes minutes: their time grows with the cube. */
const axesMax = 768;

/** What becomes of a space's cosines with fewer dimensions. */
export class SpaceLadder {
  readonly space: string;
  /** As the encoder gives them, then fewer and fewer. */
  readonly sizes: readonly number[];
  readonly #table: VectorTable;
  readonly #cuts: Matryoshka;
  /** All records along their axes, the best axis first; made when they are first needed. */
  readonly #along = new Map<ReducedBy, Promise<VectorTable>>();
  readonly #fitting: { readonly rows: Int32Array; readonly seed: number; readonly signal: AbortSignal };

  /** Axes are fitted to `rows` alone. */
  constructor(
    { space, table, isReducible, cuts }: BudgetSpace,
    fitting: { readonly rows: Int32Array; readonly seed: number; readonly signal: AbortSignal },
  ) {
    this.space = space;
    this.sizes = [table.dimensions, ...(isReducible ? smallerSizes(table.dimensions) : [])];
    this.#table = table;
    this.#cuts = cuts;
    this.#fitting = fitting;
  }

  get dimensions(): number {
    return this.#table.dimensions;
  }

  get rowCount(): number {
    return this.#table.values.length / this.#table.dimensions;
  }

  /** How a size comes about: every way there is. */
  waysTo(to: number): readonly Rung[] {
    if (to === this.dimensions) return [{ to, by: null }];
    const ways: ReducedBy[] = canBeCut(this.#cuts, to) ? ["pca", "random", "cut"] : ["pca", "random"];
    return ways.map((by) => ({ to, by }));
  }

  says(row: number): boolean {
    return rowOf(this.#table, row).some((x) => x !== 0);
  }

  /** Of the segments of `queries` with all rows, in half precision as rows are stored: [queries, rows]. */
  async cosines({ to, by }: Rung, queries: Int32Array): Promise<Float32Array> {
    const along = by === null ? this.#table : await this.#tableAlong(by);
    const values = new Float32Array((along.values.length / along.dimensions) * to);
    for (let row = 0; row * to < values.length; row += 1) {
      const segment = normalize(rowOf(along, row).slice(0, to));
      values.set(Float16Array.from(segment), row * to);
    }
    const rows = { values, dimensions: to };
    const asked = new Float32Array(queries.length * to);
    for (const [query, row] of queries.entries()) asked.set(rowOf(rows, row), query * to);
    return cosineTable(rows, { values: asked, dimensions: to });
  }

  #tableAlong(by: ReducedBy): Promise<VectorTable> {
    const known = this.#along.get(by) ?? (by === "cut" ? Promise.resolve(this.#table) : this.#project(by));
    this.#along.set(by, known);
    return known;
  }

  async #project(by: "pca" | "random"): Promise<VectorTable> {
    // The last step of a budget may take any number of dimensions up to the encoder's own.
    const to = Math.min(axesMax, this.dimensions - 1);
    return times(this.#table, await fitAxes(this.#table, { to, by }, this.#fitting));
  }
}

/** [dimensions, to]: the axes by which `to` dimensions of a table come about, fitted to some of its rows. Throws the signal's reason. */
export async function fitAxes(
  table: VectorTable,
  { to, by }: { readonly to: number; readonly by: "pca" | "random" },
  { rows, seed, signal }: { readonly rows: Int32Array; readonly seed: number; readonly signal: AbortSignal },
): Promise<DenseMatrix> {
  const moment = new SecondMoment(table.dimensions);
  for (const row of rows) moment.add(rowOf(table, row));
  const options = { to, random: new Random(seed), signal };
  return (by === "pca" ? await principalAxes(moment, options) : randomAxes(moment, options)).matrix;
}

function smallerSizes(dimensions: number): readonly number[] {
  const sizes: number[] = [];
  let size = Math.min(Math.round(dimensions * stepShare), axesMax);
  while (size >= dimensionsMin && size < (sizes.at(-1) ?? dimensions)) {
    sizes.push(size);
    size = Math.max(Math.round(size * stepShare), dimensionsMin);
  }
  return sizes;
}

function rowOf({ values, dimensions }: VectorTable, row: number): Float32Array {
  return values.subarray(row * dimensions, (row + 1) * dimensions);
}

function times({ values, dimensions }: VectorTable, axes: DenseMatrix): VectorTable {
  const rows = values.length / dimensions;
  const along = new Float32Array(rows * axes.columns);
  const sums = new Float64Array(axes.columns);
  for (let row = 0; row < rows; row += 1) {
    sums.fill(0);
    for (let from = 0; from < dimensions; from += 1) {
      const factor = values[row * dimensions + from] as number;
      if (factor === 0) continue;
      for (let axis = 0; axis < axes.columns; axis += 1)
        sums[axis] = (sums[axis] as number) + factor * (axes.values[from * axes.columns + axis] as number);
    }
    along.set(sums, row * axes.columns);
  }
  return { values: along, dimensions: axes.columns };
}
