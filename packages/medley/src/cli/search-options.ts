import type { Command } from "commander";
import { analyzeCommand } from "./analyze.ts";
import { indexCommand } from "./collection-index.ts";
import type { Run } from "./context.ts";
import { collect, dimensions, fieldNames, groups, score, share, wholeNumber } from "./option-values.ts";
import { searchCommand } from "./search.ts";
import { searchesCommand } from "./searches.ts";

/** `medley search`, and what makes searches fast. */
export function searchCommands(medley: Command, run: Run): void {
  medley
    .command("search <collection> [parts...]")
    .description("search by weighted parts: --SPACE VALUE for each space of the collection")
    .option(
      "-w, --weight <space=number>",
      "weight of a space or text; may be 0 or negative; repeatable",
      collect,
      [],
    )
    .option(
      "--text <name=words>",
      "words of a text, as one types them into a search engine; repeatable",
      collect,
      [],
    )
    .option(
      "--class <name>",
      "of searches: weights that medley assign has learned for it, where --weight names none",
    )
    .option("--like <id>", "a row whose segments stand in for the parts not given; repeatable", collect, [])
    .option("--unlike <id>", "a row that hits should differ from in these parts; repeatable", collect, [])
    .option("--for <user>", "a user whose profile stands in for the parts not given")
    .option("--exclude-seen", "without the records that this user had events with")
    .option("--filter <json>", "conditions on typed columns")
    .option("--ask <sentence>", "say it in a sentence; what else is given goes before")
    .option("-k <number>", "how many hits", wholeNumber(1, 1000))
    .option("--recall <share>", "of the best hits to be found; 1 scans exactly (default: 0.95)", share)
    .option("--score-min <number>", "no hit with a lower score", score)
    .option("--diversity <share>", "0 to 1: the higher, the more hits differ from each other", share)
    .option("--per-group <field=max>", "at most so many hits of each value of a category field", groups)
    .option("--after <cursor>", "the hits behind those of the answer whose cursor (--json) this is")
    .option("--explain", "show what each space contributes to the score, and how the hits are found")
    .allowUnknownOption()
    .addHelpText(
      "after",
      '\nExamples:\n  $ medley search films --plot "a heist goes wrong" --genres Comedy --weight plot=2 --explain\n  $ medley search films --like "Heat_(1995_film)" --year high --filter \'{"year":{"gte":1990}}\'\n  $ medley search films --like "Heat_(1995_film)" --like "Jaws_(film)" --unlike "Up_(2009_film)"\n  $ medley search films --plot "a heist" --diversity 0.4 --per-group studio=2 --score-min 0.3\n  $ medley search films --for user-1 --exclude-seen\n  $ medley search films --plot "a heist goes wrong" --text words=\'"bank robbery" -comedy\' --weight words=2\n  $ medley search films --ask "recent crime comedies about a heist, no drama"',
    )
    .action((collection, parts, options) =>
      run("search", (context) => searchCommand(context, collection, { ...options, parts })),
    );
  medley
    .command("searches <collection> <file>")
    .description("the searches of a file (- is stdin), a JSON object per line as POST …/searches takes them")
    .addHelpText(
      "after",
      '\nA line: {"parts": {"plot": "a heist"}, "weights": {"plot": 2}, "k": 5}. Ends with 1 where one fails; --json has each with its line.\nCtrl-C ends with 130 and the answers so far.\n\nExamples:\n  $ medley searches films searches.jsonl --json > answers.json',
    )
    .action((collection, file) => run("searches", (context) => searchesCommand(context, collection, file)));
  indexCommands(medley, run);
}

function indexCommands(medley: Command, run: Run): void {
  medley
    .command("index [collection]")
    .description(
      "build the indexes of a collection's vectors, of all spaces together and of each, as the owner of its table (default: where they lack); each makes writes slower",
    )
    .option("--drop", "drop them: searches scan exactly, writes are fast")
    .option(
      "--fused-only",
      "of the vectors' indexes only the one over all spaces: searches of uneven weights scan exactly",
    )
    .option(
      "--dimensions <number>",
      "graphs over so many dimensions, those that find the most; rows keep all, which choose among the candidates (all: of whole vectors; default: as before)",
      dimensions,
    )
    .option(
      "--filters <fields>",
      "the fields that filters read, an index for each (none: no more; default: as before)",
      fieldNames,
    )
    .option("--rebuild", "build them anew beside the ones in use")
    .option("--exclusive", "keep writes out meanwhile: quicker")
    .option("--memory <MB>", "maintenance_work_mem (default: the server's)", wholeNumber(1, 2_097_151))
    .option(
      "--workers <number>",
      "parallel workers beside the first (default: the server's)",
      wholeNumber(0, 1_024),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ medley index\n  $ medley index films --memory 2000 --workers 7\n  $ medley index films --drop\n  $ medley index films --dimensions 313\n  $ medley index films --filters title,studio",
    )
    .action((collection, options) =>
      run("index", (context) => indexCommand(context, { collection, ...options })),
    );
  medley
    .command("analyze [collection]")
    .description(
      "learn from sampled rows which indexes find the best at which weights, and how deep to look (default: all with an index)",
    )
    .option("--seconds <number>", "begin no query later than this (default: 105)", wholeNumber(1, 3_600))
    .addHelpText(
      "after",
      "\nWorth it after medley index, and when many rows have changed.\n\nExamples:\n  $ medley analyze\n  $ medley analyze films --seconds 30",
    )
    .action((collection, options) =>
      run("analyze", (context) => analyzeCommand(context, { collection, ...options })),
    );
}
