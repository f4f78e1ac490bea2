/**
 * Writes examples/citations/papers.jsonl.gz from Planetoid's Cora: `node infra/example-citations/make.ts FOLDER`, where FOLDER has
 * papers.jsonl (id, words, topic), citations.csv (two ids a line) and test_split.json (positions of the held-out papers).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("name the folder that holds Cora");

interface Paper {
  readonly id: string;
  readonly words: readonly number[];
  readonly topic: number;
}

/** Planetoid's order. */
const topics = [
  "theory",
  "reinforcement learning",
  "genetic algorithms",
  "neural networks",
  "probabilistic methods",
  "case based",
  "rule learning",
] as const;

const read = (file: string) => readFileSync(join(folder, file), "utf8");
const papers = read("papers.jsonl")
  .trim()
  .split("\n")
  .map((line): Paper => JSON.parse(line));
const split: unknown = JSON.parse(read("test_split.json"));
const heldOut = new Set(Array.isArray(split) ? split : (Object.values(split as object)[0] as number[]));
const cites = new Map(papers.map(({ id }) => [id, [] as string[]]));
for (const line of read("citations.csv").trim().split("\n")) {
  const [from, to] = line.trim().split(",");
  if (to !== undefined && cites.has(to)) cites.get(from as string)?.push(to);
}
const lines = papers.map(({ id, words, topic }, at) =>
  JSON.stringify({
    id,
    words: words.map((word) => `w${word}`),
    cites: cites.get(id),
    topic: topics[topic],
    part: heldOut.has(at) ? "held out" : "known",
  }),
);
// The time in a gzip header would make each run another file.
writeFileSync(
  join(import.meta.dirname, "../../examples/citations/papers.jsonl.gz"),
  gzipSync(`${lines.join("\n")}\n`, { level: 9 }),
);
