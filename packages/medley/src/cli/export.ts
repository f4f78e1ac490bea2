import type { Command } from "commander";
import { writeVectorDbBench } from "../evaluate/write-vector-db-bench.ts";
import { type Context, openHere, type Run } from "./context.ts";
import { wholeNumber } from "./option-values.ts";
import type { Outcome } from "./output.ts";
import { count, Progress } from "./progress.ts";

interface ExportArguments {
  readonly vectordbbench: string;
  readonly queries: number;
  readonly k: number;
}

/** `medley export …`. */
export function exportCommands(medley: Command, run: Run): void {
  medley
    .command("export <collection>")
    .description(
      "write a collection's vectors, with queries and their exact neighbours, for benchmarks of other databases",
    )
    .requiredOption(
      "--vectordbbench <folder>",
      "train.parquet, test.parquet and neighbors.parquet; metric: inner product",
    )
    .option(
      "--queries <number>",
      "rows that become queries, and are left out of train",
      wholeNumber(1, 100_000),
      100,
    )
    .option("-k <number>", "neighbours of each", wholeNumber(1, 1_000), 100)
    .addHelpText("after", "\nExample:\n  $ medley export films --vectordbbench films-bench --queries 1000")
    .action((collection, options) => run("export", (context) => exportCommand(context, collection, options)));
}

async function exportCommand(
  context: Context,
  collection: string,
  { vectordbbench: folder, queries, k }: ExportArguments,
): Promise<Outcome> {
  await using deployment = await openHere(context, false);
  const progress = new Progress(collection, { unit: "rows" });
  try {
    const { signal } = context;
    const onProgress = (state: { done: number; total: number; phase: string }) => progress.update(state);
    const exported = await writeVectorDbBench({
      deployment,
      collection,
      folder,
      queries,
      k,
      signal,
      onProgress,
    });
    const { train, test, dimensions } = exported;
    const text = `${folder}: ${count(train)} vectors of ${dimensions} dimensions, ${count(test)} queries`;
    return { exitCode: 0, data: { collection, folder, k, ...exported }, text };
  } finally {
    progress.stop();
  }
}
