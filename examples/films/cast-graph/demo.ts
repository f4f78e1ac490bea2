import { strict as assert } from "node:assert";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  fuseSegments,
  loadRecords,
  openExample,
  readSegments,
  type Segments,
  trainSpace,
  writeRecords,
} from "@medley/example-steps";
import { classifyByNeighbours, classifyLeaveOneOut, classReport } from "@medley/training";
import { type Deployment, hitTable, type SearchQuery } from "medley";
import { type Film, filmOf, films, graphRecords, heldOut, type Question, questions } from "./films.ts";

// Films by who plays in them together. Node2Vec walks from films to their actors and on to those actors' other films; it sees no
// genre and no year. Then held-out films ask the films nearest to them for their genre and their decade.
const here = fileURLToPath(new URL(".", import.meta.url));
const say = (text: string) => process.stdout.write(`${text}\n`);
const spaces = ["plot", "cast", "cast_graph"] as const;
type Space = (typeof spaces)[number];
type Weights = Partial<Record<Space, number>>;

/** What plot and cast graph may weigh where the other has 1. */
const weightsTried = [0.25, 0.5, 1, 2, 4];

async function showSearches(deployment: Deployment): Promise<void> {
  const byGraph = { plot: 0, cast: 0, cast_graph: 1 };
  const searches: [string, SearchQuery][] = [
    [
      'films with people who play together with those of "The Royal Tenenbaums"',
      { like: "The_Royal_Tenenbaums", weights: byGraph },
    ],
    [
      "near Clint Eastwood in the graph, and about a robbery",
      { parts: { cast_graph: "Clint Eastwood", plot: "a robbery" }, weights: { ...byGraph, plot: 0.5 } },
    ],
  ];
  for (const [title, query] of searches) {
    say(`\n   ${title}`);
    const hits = await deployment.search("films", { ...query, k: 6 });
    say(hitTable(hits, spaces).replaceAll(/^/gm, "   "));
  }
}

/** Accuracies by 15 neighbours; the fusion's weight is the one by which known films tell each other best. */
function evaluate(
  { title, classOf, classCount }: Question,
  known: Segments<Space>,
  asked: Segments<Space>,
): Map<string, number> {
  const labelsOf = ({ rows }: Segments<Space>) =>
    rows.map(({ id }) => classOf(filmOf.get(id as string) as Film));
  const [labels, truth] = [labelsOf(known), labelsOf(asked)];
  const vote = (weights: Weights) => ({ known: fuseSegments(known, weights), labels, classCount });
  const fusions = weightsTried.map((weight): Weights => ({ plot: 1, cast_graph: weight }));
  const learned = fusions.map(
    (weights) => classReport(labels, classifyLeaveOneOut(vote(weights)), { classCount }).accuracy,
  );
  const chosen = fusions[learned.indexOf(Math.max(...learned))] as Weights;
  const compared: [string, Weights][] = [
    ["plot", { plot: 1 }],
    ["cast, a dimension per frequent name", { cast: 1 }],
    ["cast graph", { cast_graph: 1 }],
    [`plot and cast graph, 1 to ${chosen.cast_graph}`, chosen],
  ];
  say(`\n   ${title.padEnd(40)} accuracy  macro-F1`);
  const accuracies = compared.map(([by, weights]) => {
    const guesses = classifyByNeighbours(vote(weights), fuseSegments(asked, weights));
    const { accuracy, macroF1 } = classReport(truth, guesses, { classCount });
    say(`   by ${by.padEnd(37)} ${accuracy.toFixed(3)}     ${macroF1.toFixed(3)}`);
    return [by.split(",")[0] as string, accuracy] as const;
  });
  return new Map(accuracies);
}

async function main(): Promise<void> {
  rmSync(join(here, ".medley"), { recursive: true, force: true });
  say(`1. Node2Vec learns who plays with whom in ${films.length} films`);
  const path = writeRecords(here, "films.jsonl", graphRecords());
  trainSpace(here, "films.cast_graph", { from: path });
  say("\n2. Every film becomes one vector of plot, cast and cast graph");
  await using deployment = await openExample(here);
  await loadRecords(deployment, { collection: "films", path, count: films.length });
  say("\n3. Searches by the cast graph");
  await showSearches(deployment);
  say(`\n4. What ${heldOut.size} held-out films are, by 15 neighbours`);
  const { connectionString } = deployment.database;
  const part = (name: string) =>
    readSegments(connectionString, { collection: "films", spaces, fields: ["id"], part: name });
  const [known, asked] = [await part("known"), await part("held out")];
  for (const question of questions) {
    const accuracies = evaluate(question, known, asked);
    const by = (name: string) => accuracies.get(name) as number;
    assert(
      by("plot and cast graph") >= Math.max(by("plot"), by("cast graph")) - 0.01,
      "the fusion is no worse than its parts",
    );
  }
}

await main();
