import { strict as assert } from "node:assert";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { loadRecords, openExample, trainSpace, writeRecords } from "@medley/example-steps";
import type { Deployment } from "medley";

// What a paper is about, told from its words, from whom it cites, and from both. Two encoders are trained on the 2,031 papers
// whose topic is known and on all citations; then every held-out paper asks its nearest known ones for its topic.
const here = fileURLToPath(new URL(".", import.meta.url));
const say = (text: string) => process.stdout.write(`${text}\n`);
const neighbours = 15;

interface Paper {
  readonly id: string;
  readonly topic: string;
  readonly part: "known" | "held out";
}

const papers = gunzipSync(readFileSync(join(here, "papers.jsonl.gz")))
  .toString()
  .trim()
  .split("\n")
  .map((line): Paper => JSON.parse(line));
const heldOut = papers.filter(({ part }) => part === "held out");
const topics = [...new Set(papers.map(({ topic }) => topic))];

/** Of the topics of the nearest known papers the most frequent; of as many, the one that is nearest. */
async function guess(deployment: Deployment, id: string, weights: Record<string, number>): Promise<string> {
  const hits = await deployment.search("papers", {
    like: id,
    weights,
    filter: { part: "known" },
    k: neighbours,
  });
  const votes = new Map<string, number>();
  for (const { fields } of hits)
    votes.set(fields.topic as string, (votes.get(fields.topic as string) ?? 0) + 1);
  return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best), ["", 0])[0];
}

async function evaluate(
  deployment: Deployment,
  title: string,
  weights: Record<string, number>,
): Promise<number> {
  const guesses: string[] = [];
  for (const { id } of heldOut) guesses.push(await guess(deployment, id, weights));
  const right = heldOut.filter(({ topic }, at) => guesses[at] === topic).length;
  const scores = topics.map((topic) => {
    const hit = heldOut.filter((paper, at) => paper.topic === topic && guesses[at] === topic).length;
    const named = guesses.filter((each) => each === topic).length;
    return (2 * hit) / (named + heldOut.filter((paper) => paper.topic === topic).length);
  });
  const macroF1 = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  say(`   ${title.padEnd(28)} ${(right / heldOut.length).toFixed(3)}     ${macroF1.toFixed(3)}`);
  return right / heldOut.length;
}

async function main(): Promise<void> {
  rmSync(join(here, ".medley"), { recursive: true, force: true });
  say("1. Node2Vec learns from citations alone, GraphSAGE from citations, words and known topics");
  // No training sees the topics that are to be found.
  const untold = papers.map((paper) => (paper.part === "known" ? paper : { ...paper, topic: null }));
  const from = writeRecords(here, "to-train-on.jsonl", untold);
  trainSpace(here, "papers.walks", { from });
  trainSpace(here, "papers.graph", { from });
  say(`\n2. ${papers.length} papers become one vector each`);
  await using deployment = await openExample(here);
  const path = join(here, "papers.jsonl.gz");
  await loadRecords(deployment, { collection: "papers", path, count: papers.length });
  say(`\n3. The topic of ${heldOut.length} held-out papers, by ${neighbours} neighbours`);
  say("                                accuracy  macro-F1");
  const words = await evaluate(deployment, "words", { words: 1, walks: 0, graph: 0 });
  const walks = await evaluate(deployment, "Node2Vec", { words: 0, walks: 1, graph: 0 });
  const fused = await evaluate(deployment, "words and Node2Vec", { words: 1, walks: 1, graph: 0 });
  const graph = await evaluate(deployment, "GraphSAGE", { words: 0, walks: 0, graph: 1 });
  const all = await evaluate(deployment, "all three", { words: 1, walks: 1, graph: 1 });
  assert(walks > words + 0.03, "citations tell more than words");
  assert(fused > walks, "both together tell more than either");
  assert(Math.max(graph, all) > fused - 0.01, "GraphSAGE tells at least as much");
}

await main();
