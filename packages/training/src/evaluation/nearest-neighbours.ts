import { strict as assert } from "node:assert";

/** Row-major, all rows of the same length. */
export interface VectorTable {
  readonly values: Float32Array;
  readonly dimensions: number;
}

/** Of each query its k nearest rows, the nearest first. */
export interface Neighbours {
  /** [queries, k]. */
  readonly rows: Int32Array;
  /** [queries, k]. */
  readonly cosines: Float64Array;
  readonly k: number;
}

export interface NeighbourVote {
  /** What is known. */
  readonly known: VectorTable;
  /** A class, 0 ≤ class < classCount, per known row. */
  readonly labels: ArrayLike<number>;
  readonly classCount: number;
  /** Default 15. */
  readonly k?: number;
}

const kDefault = 15;

/**
 * The class of each query by the votes of its k nearest known rows, each vote counting the same; of classes with equally many votes
 * the lowest wins, as in scikit-learn. [queries].
 */
export function classifyByNeighbours(vote: NeighbourVote, queries: VectorTable): Int32Array {
  return electClasses(vote, nearestNeighbours(vote.known, queries, { k: vote.k ?? kDefault }));
}

/** Each known row classified by the other ones: what a choice of settings may look at when nothing is held out. [known rows]. */
export function classifyLeaveOneOut(vote: NeighbourVote): Int32Array {
  const { k = kDefault } = vote;
  return electClasses(vote, nearestNeighbours(vote.known, vote.known, { k, leaveOneOut: true }));
}

/**
 * By cosine, exactly, comparing all with all. Of rows that are equally near the earlier one is taken. A row of zeros has cosine 0 with
 * everything. `leaveOneOut`: the queries are the known rows, none of which is its own neighbour.
 */
export function nearestNeighbours(
  known: VectorTable,
  queries: VectorTable,
  { k, leaveOneOut = false }: { readonly k: number; readonly leaveOneOut?: boolean },
): Neighbours {
  const [knownRows, queryRows] = [rowsOf(known), rowsOf(queries)];
  assert(!leaveOneOut || knownRows === queryRows, "the queries are the known rows");
  assert(k > 0 && k <= knownRows - (leaveOneOut ? 1 : 0), "at least k known rows");
  const rows = new Int32Array(queryRows * k);
  const cosines = new Float64Array(queryRows * k);
  cosinesOfEach(known, leaveOneOut ? known : queries, (query, dots) => {
    const nearest = {
      rows: rows.subarray(query * k, (query + 1) * k),
      cosines: cosines.subarray(query * k, (query + 1) * k),
    };
    keepHighest(dots, leaveOneOut ? query : -1, nearest);
  });
  return { rows, cosines, k };
}

/** The cosine of each query with each known row, exactly; 0 for rows of zeros. [queries, known rows]. */
export function cosineTable(known: VectorTable, queries: VectorTable): Float32Array {
  const knownRows = rowsOf(known);
  const table = new Float32Array(rowsOf(queries) * knownRows);
  cosinesOfEach(known, queries, (query, dots) => table.set(dots, query * knownRows));
  return table;
}

/** Tells the cosines of each query with all known rows, in an array that is used again. */
function cosinesOfEach(
  known: VectorTable,
  queries: VectorTable,
  tell: (query: number, dots: Float64Array) => void,
): void {
  const { dimensions } = known;
  assert(dimensions === queries.dimensions, "vectors of the same length");
  const [knownRows, queryRows] = [rowsOf(known), rowsOf(queries)];
  const knownUnits = unitRows(known);
  const queryUnits = known === queries ? knownUnits : unitRows(queries);
  const [first, second] = [new Float64Array(knownRows), new Float64Array(knownRows)];
  for (let query = 0; query < queryRows; query += 2) {
    // Two queries share the reading of the known rows; the last one of an odd number is its own partner.
    const partner = Math.min(query + 1, queryRows - 1);
    dotsOfPair({ units: knownUnits, dimensions, queries: queryUnits, query, partner, first, second });
    tell(query, first);
    if (partner !== query) tell(partner, second);
  }
}

/** By the votes of each query's neighbours: see `classifyByNeighbours`. [queries]. */
export function electClasses(
  { labels, classCount }: Pick<NeighbourVote, "labels" | "classCount">,
  { rows, k }: Pick<Neighbours, "rows" | "k">,
): Int32Array {
  const votes = new Int32Array(classCount);
  return Int32Array.from({ length: rows.length / k }, (_, query) => {
    votes.fill(0);
    for (let at = query * k; at < (query + 1) * k; at += 1) {
      const label = labels[rows[at] as number] as number;
      assert(label >= 0 && label < classCount, "a class below classCount per known row");
      votes[label] = (votes[label] as number) + 1;
    }
    let winner = 0;
    for (let other = 1; other < classCount; other += 1) {
      if ((votes[other] as number) > (votes[winner] as number)) winner = other;
    }
    return winner;
  });
}

/** Writes the rows with the highest dots, in falling order, into `nearest`; row `except` (-1: none) is passed over. */
export function keepHighest(
  dots: Float64Array,
  except: number,
  { rows, cosines }: { readonly rows: Int32Array; readonly cosines: Float64Array },
): void {
  const last = rows.length - 1;
  cosines.fill(Number.NEGATIVE_INFINITY);
  for (let row = 0; row < dots.length; row += 1) {
    const dot = dots[row] as number;
    if (row === except || !(dot > (cosines[last] as number))) continue;
    let at = last;
    for (; at > 0 && dot > (cosines[at - 1] as number); at -= 1) {
      cosines[at] = cosines[at - 1] as number;
      rows[at] = rows[at - 1] as number;
    }
    cosines[at] = dot;
    rows[at] = row;
  }
}

interface Pair {
  readonly units: Float32Array;
  readonly dimensions: number;
  readonly queries: Float32Array;
  readonly query: number;
  readonly partner: number;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/**
 * Dot products of two queries with all known rows, four rows at a time: eight sums stay in registers, which is three times as
 * fast as one. Every sum runs over the dimensions in the same order, so that equal rows have equal dots wherever they stand.
 */
function dotsOfPair({ units, dimensions, queries, query, partner, first, second }: Pair): void {
  const rowCount = first.length;
  const [p, q] = [query * dimensions, partner * dimensions];
  for (let row = 0; row < rowCount; row += 4) {
    // Beyond the last row the last one is read again, and not written.
    const a = row * dimensions;
    const b = Math.min(row + 1, rowCount - 1) * dimensions;
    const c = Math.min(row + 2, rowCount - 1) * dimensions;
    const d = Math.min(row + 3, rowCount - 1) * dimensions;
    let [pa, pb, pc, pd, qa, qb, qc, qd] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let at = 0; at < dimensions; at += 1) {
      const x = queries[p + at] as number;
      const y = queries[q + at] as number;
      const av = units[a + at] as number;
      const bv = units[b + at] as number;
      const cv = units[c + at] as number;
      const dv = units[d + at] as number;
      pa += x * av;
      pb += x * bv;
      pc += x * cv;
      pd += x * dv;
      qa += y * av;
      qb += y * bv;
      qc += y * cv;
      qd += y * dv;
    }
    first[row] = pa;
    second[row] = qa;
    if (row + 1 < rowCount) [first[row + 1], second[row + 1]] = [pb, qb];
    if (row + 2 < rowCount) [first[row + 2], second[row + 2]] = [pc, qc];
    if (row + 3 < rowCount) [first[row + 3], second[row + 3]] = [pd, qd];
  }
}

/** A copy, each row scaled to length 1; rows of zeros stay. */
function unitRows({ values, dimensions }: VectorTable): Float32Array {
  const units = Float32Array.from(values);
  for (let start = 0; start < units.length; start += dimensions) {
    let square = 0;
    for (let at = start; at < start + dimensions; at += 1) square += (units[at] as number) ** 2;
    assert(Number.isFinite(square), "vectors are finite");
    if (square === 0) continue;
    const scale = 1 / Math.sqrt(square);
    for (let at = start; at < start + dimensions; at += 1) units[at] = (units[at] as number) * scale;
  }
  return units;
}

function rowsOf({ values, dimensions }: VectorTable): number {
  assert(dimensions > 0 && values.length % dimensions === 0, "whole rows");
  return values.length / dimensions;
}
