import { readFileSync } from "node:fs";
import {
  type ClassReport,
  classifyByNeighbours,
  classifyLeaveOneOut,
  classReport,
  type Edge,
  type Spread,
  type VectorTable,
} from "@medley/training";
import { readLines, sharedData } from "./shared-data.ts";

interface Paper {
  readonly id: string;
  /** Which of the vocabulary's words occur. */
  readonly words: readonly number[];
  readonly topic: number;
}

export const wordCount = 1433;
export const topicCount = 7;

/** Papers and who cites whom (McCallum et al. 2000), and which papers are held out. */
export interface Cora {
  readonly papers: readonly Paper[];
  readonly edges: readonly Edge[];
  /** Places among the papers. */
  readonly train: readonly number[];
  readonly test: readonly number[];
}

export function readCora(): Cora {
  const papers = readLines<Paper>("cora/papers.jsonl");
  const [, ...lines] = readFileSync(sharedData("cora/citations.csv"), "utf8").trim().split("\n");
  const edges = lines.map((line) => {
    const [from, to] = line.split(",") as [string, string];
    return { from, to };
  });
  const test: number[] = JSON.parse(readFileSync(sharedData("cora/test_split.json"), "utf8"));
  const held = new Set(test);
  const train = [...papers.keys()].filter((paper) => !held.has(paper));
  return { papers, edges, train, test };
}

/** Each paper's words, all as heavy. [papers, 1433]. */
export function wordTable({ papers }: Cora): VectorTable {
  const values = new Float32Array(papers.length * wordCount);
  for (const [at, { words }] of papers.entries()) {
    for (const word of words) values[at * wordCount + word] = 1 / Math.sqrt(words.length);
  }
  return { values, dimensions: wordCount };
}

/** Tables end to end, each with a weight, as a fused vector has its segments. Rows are of unit length before. */
export function fused(
  parts: readonly { readonly table: VectorTable; readonly weight: number }[],
): VectorTable {
  const dimensions = parts.reduce((sum, { table }) => sum + table.dimensions, 0);
  const rows = (parts[0]?.table.values.length ?? 0) / (parts[0]?.table.dimensions ?? 1);
  const values = new Float32Array(rows * dimensions);
  let from = 0;
  for (const { table, weight } of parts) {
    for (const [at, value] of table.values.entries()) {
      const row = Math.floor(at / table.dimensions);
      values[row * dimensions + from + (at % table.dimensions)] = weight * value;
    }
    from += table.dimensions;
  }
  return { values, dimensions };
}

export function selected({ values, dimensions }: VectorTable, rows: readonly number[]): VectorTable {
  const chosen = new Float32Array(rows.length * dimensions);
  for (const [at, row] of rows.entries()) {
    chosen.set(values.subarray(row * dimensions, (row + 1) * dimensions), at * dimensions);
  }
  return { values: chosen, dimensions };
}

export function topicsOf({ papers }: Cora, rows: readonly number[]): number[] {
  return rows.map((row) => (papers[row] as Paper).topic);
}

/** The held-out papers' topics by their 15 nearest training papers. `table`: of all papers. */
export function heldOutReport(cora: Cora, table: VectorTable): ClassReport {
  const { train, test } = cora;
  const vote = { known: selected(table, train), labels: topicsOf(cora, train), classCount: topicCount };
  const predicted = classifyByNeighbours(vote, selected(table, test));
  return classReport(topicsOf(cora, test), predicted, { classCount: topicCount });
}

/** Accuracy on the training papers, each by the others: what settings are chosen by. */
export function leaveOneOutAccuracy(cora: Cora, table: VectorTable): number {
  const labels = topicsOf(cora, cora.train);
  const vote = { known: selected(table, cora.train), labels, classCount: topicCount };
  return classReport(labels, classifyLeaveOneOut(vote), { classCount: topicCount }).accuracy;
}

/** The weight of `second` beside `first` that is best on the training papers. */
export function bestWeight(
  cora: Cora,
  first: VectorTable,
  second: VectorTable,
  weights: readonly number[],
): number {
  const scores = weights.map((weight) => {
    const table = fused([
      { table: first, weight: 1 },
      { table: second, weight },
    ]);
    return leaveOneOutAccuracy(cora, table);
  });
  return weights[scores.indexOf(Math.max(...scores))] as number;
}

export function shown({ mean, deviation }: Spread): string {
  return `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
}
