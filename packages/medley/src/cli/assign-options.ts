import { availableParallelism } from "node:os";
import { deviceChoices } from "@medley/models";
import { type Command, Option } from "commander";
import { assignCommand } from "./assign.ts";
import type { Run } from "./context.ts";
import { wholeNumber } from "./option-values.ts";
import { seedMax } from "./train-options.ts";

/** `medley assign …`. */
export function assignCommands(medley: Command, run: Run): void {
  medley
    .command("assign [collection]")
    .description(
      "measure the candidates of each space on the collection's tasks, and pin the choice with its evidence in medley.lock.json",
    )
    .option(
      "--from <source>",
      "a file of records with labels, or collection:NAME (default: the collection's own, from the database)",
    )
    .option("--plan", "only say what would change")
    .option("--apply", "change a choice that was made before")
    .option("--seed <number>", "of the split, the trainings and the intervals", wholeNumber(0, seedMax), 1)
    .option(
      "--records <number>",
      "measure on at most this many, drawn at random",
      wholeNumber(40, 20_000),
      5_000,
    )
    .option(
      "--budget <dimensions>",
      "share so many dimensions among the spaces, with the least recall lost, instead of measuring candidates",
      wholeNumber(2, 100_000),
    )
    .option(
      "--memory <MB>",
      "measure within so much memory: fewer records are drawn, and candidates that don't fit are left out",
      wholeNumber(1, 1_000_000),
    )
    .option("--minutes <number>", "stop after so long and keep what is done", wholeNumber(1, 100_000))
    .option(
      "--threads <number>",
      "at most this many (default: all cores)",
      wholeNumber(1, 256),
      availableParallelism(),
    )
    .addOption(
      new Option("--device <device>", "where to train and encode").choices(deviceChoices).default("cpu"),
    )
    .addHelpText(
      "after",
      "\nMeasured by the collection's tasks: labels, judged queries in BEIR's format, or pairs such as clicks. Half of the records is trained" +
        "\non, a quarter chooses, a quarter confirms the choice once (of queries half and half). The cheapest candidate that is not" +
        "\nsignificantly worse than the best is chosen; docs/ASSIGNMENT.md says how. A first choice is written at once, a later one with" +
        "\n--apply. Ctrl-C or --minutes keep the candidates that are done: the same command goes on with the others." +
        "\n\nExamples:\n  $ medley assign films --from films.jsonl\n  $ medley assign films --plan --minutes 30 --memory 2000\n  $ medley assign films --apply\n  $ medley assign films --budget 512 --plan",
    )
    .action((collection, options) => run("assign", (context) => assignCommand(context, collection, options)));
}
