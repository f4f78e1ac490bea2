import { writeFileSync } from "node:fs";
import { MedleyError } from "@medley/core";
import type { Command } from "commander";
import { readBeir } from "../evaluate/beir.ts";
import { type EvaluatedWeighting, evaluateSearch } from "../evaluate/evaluate-search.ts";
import { trecRun } from "../evaluate/trec-run.ts";
import { type Context, openHere, type Run } from "./context.ts";
import { collect, wholeNumber } from "./option-values.ts";
import { type Outcome, table } from "./output.ts";
import { Progress } from "./progress.ts";
import { weightsOf } from "./query-options.ts";

interface EvaluateArguments {
  readonly beir: string;
  readonly split: string;
  readonly weight: readonly string[];
  readonly k: number;
  readonly run?: string;
}

/** `medley eval …`. */
export function evaluateCommands(medley: Command, run: Run): void {
  medley
    .command("eval <collection>")
    .description(
      "how good searches are, by judged queries in BEIR's format: by all spaces, each alone, all but each",
    )
    .requiredOption(
      "--beir <folder>",
      "with queries.jsonl and qrels/SPLIT.tsv; its corpus.jsonl is for backfill",
    )
    .option("--split <name>", "which judgements", "test")
    .option(
      "-w, --weight <space=number>",
      "weight of a space (default: the collection's); repeatable",
      collect,
      [],
    )
    .option("-k <number>", "hits that are looked at", wholeNumber(1, 999), 100)
    .option("--run <file>", "write what was found by all spaces, as trec_eval and ranx read it")
    .addHelpText(
      "after",
      '\nA query\'s text is said to every space that reads texts; a line of queries.jsonl may have "parts" for other spaces.\n\nExamples:\n  $ medley backfill scifact/corpus.jsonl -c papers\n  $ medley eval papers --beir scifact --run papers.run',
    )
    .action((collection, options) => run("eval", (context) => evaluateCommand(context, collection, options)));
}

async function evaluateCommand(
  context: Context,
  collection: string,
  { beir, split, weight, k, run }: EvaluateArguments,
): Promise<Outcome> {
  const queries = await readBeir(beir, { split });
  await using deployment = await openHere(context, true);
  const progress = new Progress(collection, { unit: "queries" });
  try {
    const evaluated = await evaluateSearch({
      deployment,
      collection,
      queries,
      weights: weightsOf(weight),
      k,
      signal: context.signal,
      onProgress: (done) => progress.update({ done, total: queries.length }),
    });
    const [all] = evaluated as readonly [EvaluatedWeighting];
    if (run !== undefined) writeRun(run, trecRun(queries, all));
    const weightings = evaluated.map(({ ranking: _, ...figures }) => figures);
    return {
      exitCode: 0,
      data: { collection, queries: queries.length, k, weightings },
      text: report(evaluated, k),
    };
  } finally {
    progress.stop();
  }
}

function writeRun(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new MedleyError("usage", `${path} can't be written`, {
      mend: "name a file in a folder of yours",
      cause,
    });
  }
}

function report(evaluated: readonly EvaluatedWeighting[], k: number): string {
  const rows = evaluated.map(({ name, ndcg10, recall10, recallK, mrr10, toAll }) => [
    name,
    ...[ndcg10, recall10, recallK, mrr10].map((value) => value.toFixed(3)),
    toAll === null ? "" : `${signed(toAll.difference)} (${signed(toAll.low)} to ${signed(toAll.high)})`,
  ]);
  return table(["weights", "nDCG@10", "recall@10", `recall@${k}`, "MRR@10", "nDCG@10 to all, 95%"], rows);
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
}
