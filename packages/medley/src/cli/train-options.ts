import { availableParallelism } from "node:os";
import { deviceChoices } from "@medley/models";
import { type Command, Option } from "commander";
import type { Run } from "./context.ts";
import { collect, wholeNumber } from "./option-values.ts";
import { trainCommand } from "./train.ts";

export const seedMax = 2 ** 31 - 1;

/** `medley train …`. */
export function trainCommands(medley: Command, run: Run): void {
  medley
    .command("train <space>")
    .description(
      "train the encoder of a space (COLLECTION.SPACE), and pin what comes of it in medley.lock.json",
    )
    .option(
      "--from <source>",
      "a file of records, or collection:NAME (default: the space's own collection, from the database)",
    )
    // Without a default of its own, so that one that is given beside --resume is known.
    .option(
      "--seed <number>",
      "equal seeds give equal models on one machine (default: 1)",
      wholeNumber(0, seedMax),
    )
    .option("--set <name=value>", "a setting of the space's trainer; repeatable", collect, [])
    .option(
      "--epochs <number>",
      "as --set epochs=NUMBER, or epochsMax where training may end sooner",
      wholeNumber(1, 1_000_000),
    )
    .option("--resume <run>", "go on with a run that was ended, where its trainer can")
    .option(
      "--threads <number>",
      "at most this many (default: all cores)",
      wholeNumber(1, 256),
      availableParallelism(),
    )
    .option("--mlflow <url>", "tell the run to this MLflow tracking server, once it has ended")
    .addOption(new Option("--device <device>", "where to train").choices(deviceChoices).default("cpu"))
    .addHelpText(
      "after",
      "\nCtrl-C ends the training and keeps what was best so far; a second one stops at once and keeps nothing." +
        "\nA run that was ended or killed goes on with --resume: those of series, graphsage and fine-tuned spaces," +
        "\nwith the seed and the settings that it began with: others beside it are refused." +
        "\nA text, image or audio space is fine-tuned on what its tuned.target says." +
        "\n\nExamples:\n  $ medley train films.cast --from films.jsonl.gz\n  $ medley train papers.walks --set walksPerNode=40 --seed 7\n  $ medley train films2.cast --from collection:films\n  $ medley train products.photo --from products.jsonl",
    )
    .action((space, options) => run("train", (context) => trainCommand(context, space, options)));
}
