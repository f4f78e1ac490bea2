import { writeFileSync } from "node:fs";
import { type Collection, MedleyError } from "@medley/core";
import { collectionNamed, weighedByClass } from "@medley/pipeline";
import { missingIds } from "@medley/store";
import type { Command } from "commander";
import { readBeir } from "../evaluate/beir.ts";
import { type EvaluatedWeighting, evaluateSearch, unknownClasses } from "../evaluate/evaluate-search.ts";
import { type JudgedQuery, relevantIds } from "../evaluate/judged-query.ts";
import { trecRun } from "../evaluate/trec-run.ts";
import { readVectorDbBench } from "../evaluate/vector-db-bench.ts";
import { type Context, configOf, openHere, type Run } from "./context.ts";
import { collect, wholeNumber } from "./option-values.ts";
import { type Outcome, table } from "./output.ts";
import { Progress } from "./progress.ts";
import { weightsOf } from "./query-options.ts";

interface EvaluateArguments {
  readonly beir?: string;
  readonly vectordbbench?: string;
  readonly space?: string;
  readonly split: string;
  readonly weight: readonly string[];
  readonly class?: string;
  readonly k: number;
  readonly run?: string;
}

/** `medley eval …`. */
export function evaluateCommands(medley: Command, run: Run): void {
  medley
    .command("eval <collection>")
    .description(
      "how good searches are, by queries whose answers are known: by all spaces, each alone, all but each",
    )
    .option("--beir <folder>", "with queries.jsonl and qrels/SPLIT.tsv; its corpus.jsonl is for backfill")
    .option(
      "--vectordbbench <folder>",
      "with test.parquet and neighbors.parquet; its train.parquet is for backfill",
    )
    .option(
      "--space <space>",
      "that the vectors of --vectordbbench are said to (default: the only one by the encoder vector)",
    )
    .option("--split <name>", "which judgements", "test")
    .option(
      "-w, --weight <space=number>",
      "weight of a space (default: that of the query's class, else the collection's); repeatable",
      collect,
      [],
    )
    .option("--class <name>", "of the queries that name none, with the weights that were learned for it")
    .option("-k <number>", "hits that are looked at, at least 10", wholeNumber(10, 999), 100)
    .option("--run <file>", "write what was found by all spaces, as trec_eval and ranx read it")
    .addHelpText(
      "after",
      '\nA query\'s text is said to every space that reads texts; a line of queries.jsonl may have "parts" for other spaces,\nand a "class" of searches, whose learned weights it has then.\n\nExamples:\n  $ medley backfill scifact/corpus.jsonl -c papers\n  $ medley eval papers --beir scifact --run papers.run\n  $ medley eval goods --beir judged --class brand',
    )
    .action((collection, options) => run("eval", (context) => evaluateCommand(context, collection, options)));
}

async function evaluateCommand(
  context: Context,
  collection: string,
  given: EvaluateArguments,
): Promise<Outcome> {
  const { weight, k, run } = given;
  const { collections } = await configOf(context);
  const configured = collectionNamed(collections, collection);
  if (given.class !== undefined) weighedByClass(configured, { class: given.class });
  const read = await readQueries(configured, given);
  const queries = read.map((query) => ({ ...query, class: query.class ?? given.class ?? null }));
  const unknown = unknownClasses(configured, queries);
  await using deployment = await openHere(context, true);
  const missing = await missingIds(deployment.pool, collection, [...relevantIds(queries)]);
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
    if (run !== undefined) writeRun(run, trecRun(queries, evaluated[0] as EvaluatedWeighting));
    const weightings = evaluated.map(({ ranking: _, ...figures }) => figures);
    const text = [
      report(evaluated, k),
      ...missingNote(collection, missing),
      ...unknownNote(collection, unknown),
    ].join("\n\n");
    return {
      exitCode: 0,
      data: {
        ...{ collection, queries: queries.length, k },
        ...{ missingRecords: missing.length, unknownClasses: unknown, weightings },
      },
      text,
    };
  } catch (error) {
    if (!context.signal.aborted) throw error;
    return { exitCode: 130, data: null, text: "interrupted: run it again to evaluate" };
  } finally {
    progress.stop();
  }
}

async function readQueries(
  { name: collection, spaces }: Collection,
  { beir, vectordbbench, split, space, k }: EvaluateArguments,
): Promise<readonly JudgedQuery[]> {
  if (beir !== undefined && vectordbbench === undefined) return readBeir(beir, { split });
  if (vectordbbench === undefined || beir !== undefined) {
    throw new MedleyError("usage", "judged queries come from one folder", {
      mend: "name it by --beir or --vectordbbench",
    });
  }
  const vectors = spaces.filter(({ definition }) => definition.encoder === "vector").map(({ name }) => name);
  const named = space ?? (vectors.length === 1 ? vectors[0] : undefined);
  if (named !== undefined) return readVectorDbBench(vectordbbench, { space: named, k });
  throw new MedleyError("usage", `${collection} has ${vectors.length} spaces of vectors`, {
    mend: `name the one that the queries are of: --space ${vectors[0] ?? spaces[0]?.name}`,
  });
}

/** Else an unfinished load would look like bad searches. */
function missingNote(collection: string, [first, ...others]: readonly string[]): readonly string[] {
  if (first === undefined) return [];
  return [
    `relevant records that are not in ${collection}: ${others.length + 1}, such as ${first}; load them before you compare`,
  ];
}

/** Else classes that were never learned would look like classes that gain nothing. */
function unknownNote(collection: string, unknown: readonly string[]): readonly string[] {
  if (unknown.length === 0) return [];
  const named = unknown.length === 1 ? `class ${unknown[0]}` : `classes ${unknown.join(", ")}`;
  return [`${collection} has learned nothing of ${named}: these queries weigh as all others do`];
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
  const columns = [
    { head: "nDCG@10", of: ({ ndcg10 }: EvaluatedWeighting) => ndcg10 },
    { head: "recall@10", of: ({ recall10 }: EvaluatedWeighting) => recall10 },
    ...(k === 10 ? [] : [{ head: `recall@${k}`, of: ({ recallK }: EvaluatedWeighting) => recallK }]),
    { head: "MRR@10", of: ({ mrr10 }: EvaluatedWeighting) => mrr10 },
  ];
  const rows = evaluated.map((one) => [
    one.name,
    ...columns.map(({ of }) => of(one).toFixed(3)),
    one.toAll === null
      ? ""
      : `${signed(one.toAll.difference)} (${signed(one.toAll.low)} to ${signed(one.toAll.high)})`,
  ]);
  return table(["weights", ...columns.map(({ head }) => head), "nDCG@10 to all, 95%"], rows);
}

function signed(value: number): string {
  return `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`;
}
