import { MedleyError } from "@medley/core";
import { scopes } from "@medley/http";
import { sourceFormats } from "@medley/sources";
import { Argument, Command, CommanderError, Option } from "commander";
import { interruption } from "../interruption.ts";
import { startTracing } from "../observability/tracing.ts";
import { assignCommands } from "./assign-options.ts";
import { backfillCommand } from "./backfill.ts";
import { configCommand } from "./config.ts";
import { type Context, type GlobalOptions, logFault, type Run } from "./context.ts";
import { listDeadLetters, replayDeadLetters, showDeadLetter } from "./dead-letters.ts";
import { doctorCommand } from "./doctor.ts";
import { doctorGpuCommand } from "./doctor-gpu.ts";
import { evaluateCommands } from "./evaluate.ts";
import { exportCommands } from "./export.ts";
import { applyCommand, planCommand } from "./generation.ts";
import { initCommand } from "./init.ts";
import { mcpCommands } from "./mcp.ts";
import { migrateCommand } from "./migrate.ts";
import { modelCommands } from "./models.ts";
import { address, collect, secondsBetween, wholeNumber } from "./option-values.ts";
import { type ExitCode, printError, printOutcome } from "./output.ts";
import { forgetCommand, rebuildCommand } from "./profiles.ts";
import { searchCommands } from "./search-options.ts";
import { installSources, sourcesStatus, uninstallSources } from "./sources.ts";
import { statusCommand } from "./status.ts";
import { tokenCommand } from "./token.ts";
import { topCommand } from "./top.ts";
import { trainCommands } from "./train-options.ts";
import { upCommand } from "./up.ts";

const exitCodeHelp = `
Exit codes: 0 done, 1 failed, 2 used wrongly, 3 failed for a passing reason (try again), 4 done with dead letters,
130 interrupted (resumable). With --json, one object on stdout; logs and progress go to stderr.`;

function program(run: Run): Command {
  const medley = new Command("medley")
    .description(
      "Records of text, pictures, sound, categories, numbers, dates and places become one weighted vector in your own Postgres.",
    )
    .option("--config <file>", "configuration (default: medley.config.ts here)")
    .option("--data-dir <folder>", "data folder of the embedded Postgres (default: .medley)")
    .option("--json", "print one JSON object on stdout")
    .showSuggestionAfterError()
    .addHelpText("after", exitCodeHelp);

  medley
    .command("init")
    .description("write a configuration to start from")
    .action(() => run("init", initCommand));
  medley
    .command("up")
    .description("run everything in one process: HTTP, queue, embedding, indexing, Postgres")
    .addHelpText(
      "after",
      '\nExample:\n  $ medley up\n  $ curl -d \'{"id":"1","title":"Heat"}\' -H \'content-type: application/json\' localhost:7400/v1/collections/films/records',
    )
    .action(() => run("up", upCommand));
  medley
    .command("backfill [file]")
    .description(
      "read a file into a collection: CSV, TSV, JSONL, JSON or Parquet, gzipped or not; - is stdin; postgres:TABLE a table that is its source",
    )
    .option("-c, --collection <name>", "default: the only one, or the one the file is called after")
    .option("--format <format>", `one of ${sourceFormats.join(", ")} (default: by name or content)`)
    .option("--resume <run>", "continue an interrupted run")
    .option("--events", "the file holds events of users, {user, item, kind, at, id}, not records")
    .option("--detach", "return once everything is in the queue")
    .addOption(
      new Option(
        "--index <when>",
        "after: drop the index first and build it after the load; keep: leave it as it is (default: build it after the load where there is none)",
      ).choices(["after", "keep"]),
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ medley backfill films.jsonl.gz\n  $ zcat dump.csv.gz | medley backfill - --format csv -c films\n  $ medley backfill postgres:public.films\n  $ medley backfill events.jsonl -c films --events\n  $ medley backfill --resume 2026-11-24-1f0c9a2e",
    )
    .action((file, options) => run("backfill", (context) => backfillCommand(context, { file, ...options })));
  searchCommands(medley, run);
  evaluateCommands(medley, run);
  exportCommands(medley, run);
  mcpCommands(medley, run);
  profileCommands(medley, run);
  watchCommands(medley, run);
  sourceCommands(medley, run);
  deadLetterCommands(medley, run);
  trainCommands(medley, run);
  assignCommands(medley, run);
  modelCommands(medley, run);
  operatorCommands(medley, run);
  tokenCommands(medley, run);
  return medley;
}

function watchCommands(medley: Command, run: Run): void {
  medley
    .command("status")
    .description("rows, lag, runs and dead letters")
    .option("--url <url>", "of the service that answers there, with the token of MEDLEY_TOKEN", address)
    .addHelpText("after", "\nExamples:\n  $ medley status\n  $ medley status --url http://127.0.0.1:7400")
    .action((options) => run("status", (context) => statusCommand(context, options)));
  medley
    .command("top")
    .description("watch a running deployment: rates, lag, runs and dead letters; q quits")
    .option("--interval <seconds>", "between two looks", secondsBetween(0.2, 3_600), 1)
    .option(
      "--url <url>",
      "a service whose metrics are read as well; repeatable",
      (text, all: string[]) => [...all, address(text)],
      [],
    )
    .addHelpText(
      "after",
      "\nOn a terminal it takes the screen; elsewhere it prints a line a look, with --json an object a line.\n\nExamples:\n  $ medley top\n  $ medley top --url http://127.0.0.1:7400 --interval 5\n  $ medley --json top | jq .lanes",
    )
    .action(({ interval, url }) =>
      run("top", (context) => topCommand(context, { intervalSeconds: interval, url })),
    );
}

function tokenCommands(medley: Command, run: Run): void {
  medley
    .command("token")
    .description("make a token, and the entry of MEDLEY_TOKENS that lets it in")
    .argument("<name>", "what the token is called in messages")
    .option("--scope <scope>", `one of ${scopes.join(", ")}; repeatable`, collect, [])
    .option("-c, --collection <name>", "only for this one; repeatable (default: all)", collect, [])
    .addHelpText("after", "\nExample:\n  $ medley token shop --scope ingest --scope search -c films")
    .action((name, options) => run("token", () => tokenCommand(name, options)));
}

function operatorCommands(medley: Command, run: Run): void {
  medley
    .command("migrate")
    .description("create or update Medley's tables and functions (the embedded mode does it by itself)")
    .option("--sql", "print the statements for an administrator to run")
    .option("--check", "exit with 1 where something is to be done, grants included")
    .option("--role-app <name>", "give this role what the services need, now and with later migrations")
    .option("--role-read <name>", "give this role searches and the collections' views, likewise")
    .addHelpText(
      "after",
      "\nExamples:\n  $ medley migrate --role-app medley_app --role-read medley_read\n  $ medley migrate --sql | psql -v ON_ERROR_STOP=1 $DATABASE_URL",
    )
    .action((options) => run("migrate", (context) => migrateCommand(context, options)));
  medley
    .command("plan")
    .description(
      "say what a changed encoder, space or dimension asks of the rows, and measure what it would take",
    )
    .argument("[collection]", "default: the only one")
    .addHelpText("after", "\nExamples:\n  $ medley plan films\n  $ medley plan films --json")
    .action((collection) => run("plan", (context) => planCommand(context, collection)));
  medley
    .command("apply")
    .description(
      "make the rows' next generation beside the live one, and switch to it when it has passed its gates",
    )
    .argument("[collection]", "default: the only one")
    .option(
      "--missing <rows>",
      "let it pass with so many rows that could not be encoded",
      wholeNumber(0, 1_000_000_000),
    )
    .option("--rollback", "make the generation live again that was so before")
    .option("--finish", "end the generation that was live before: from then on there is no way back")
    .option("--drop", "end the generation that is being built")
    .addHelpText(
      "after",
      "\nKilled at any point, the same command goes on; but look first which generation is live before --rollback is given again,\nsince it changes their places each time.\n\nExamples:\n  $ medley apply films\n  $ medley apply films --rollback",
    )
    .action((collection, options) =>
      run("apply", (context) => applyCommand(context, { collection, ...options })),
    );
  medley
    .command("doctor")
    .description("try each part and say what is wrong")
    .addArgument(new Argument("[part]", "gpu: run a small graph on each device").choices(["gpu"]))
    .addHelpText("after", "\nExamples:\n  $ medley doctor\n  $ medley doctor gpu")
    .action((part) => run("doctor", part === "gpu" ? doctorGpuCommand : doctorCommand));
  medley
    .command("config")
    .description("check the configuration; print it and where each setting comes from")
    .option("--json-schema", "print the JSON schema of a configuration")
    .action((options) => run("config", (context) => configCommand(context, options)));
}

function sourceCommands(medley: Command, run: Run): void {
  const group = medley.command("sources").description("tables of Postgres that tell their changes");
  group
    .command("install")
    .description("make the triggers and the outbox of every configured table, or bring them up to date")
    .option("--sql", "print the statements for an administrator to run")
    .action((options) => run("sources install", (context) => installSources(context, options)));
  group
    .command("uninstall")
    .description("take triggers and outbox away, with what waits in it")
    .argument("[names...]", "as sources status prints them")
    .option("--all", "all of this deployment")
    .option("--url-variable <name>", "also look into this database")
    .action((names, options) =>
      run("sources uninstall", (context) => uninstallSources(context, { names, ...options })),
    );
  group
    .command("status")
    .description("whether each table tells its changes, and how many wait to be relayed")
    .action(() => run("sources status", sourcesStatus));
}

function profileCommands(medley: Command, run: Run): void {
  const group = medley.command("profiles").description("what users like, made from their events");
  group
    .command("rebuild")
    .description("make profiles anew from the events kept: after weights, half-life or records changed")
    .argument("[collection]", "default: all that keep profiles")
    .action((collection) => run("profiles rebuild", (context) => rebuildCommand(context, collection)));
  group
    .command("forget")
    .description("take away a user's events and profile; what arrives of them later stays away")
    .argument("<collection>")
    .argument("<user>")
    .action((collection, user) =>
      run("profiles forget", (context) => forgetCommand(context, { collection, user })),
    );
}

function deadLetterCommands(medley: Command, run: Run): void {
  const group = medley
    .command("dead-letters")
    .description("records that could not be processed, with the reason");
  const filtered = (command: Command) =>
    command
      .option("-c, --collection <name>")
      .option("--code <code>", "error code, such as record_invalid")
      .option("--run <run>", "of one backfill")
      .option("--where <json>", "conditions on the columns of medley.dead_letters, see docs/CLI.md");
  filtered(group.command("list"))
    .option("--all", "also those replayed before")
    .option("--limit <number>", "at most this many", wholeNumber(1, 10_000), 100)
    .action((options) => run("dead-letters list", (context) => listDeadLetters(context, options)));
  group
    .command("show")
    .argument("<number>", "of dead-letters list", wholeNumber(1, 2 ** 53))
    .action((id) => run("dead-letters show", (context) => showDeadLetter(context, id)));
  filtered(group.command("replay"))
    .description("send dead letters through the pipeline again, oldest first, with the versions they had")
    .argument("[numbers...]", "default: all that the options find", (text, all: number[] = []) => [
      ...all,
      wholeNumber(1, 2 ** 53)(text),
    ])
    .option("--limit <number>", "at most this many", wholeNumber(1, 2 ** 53))
    .option("--rate <records>", "at most this many per second", wholeNumber(1, 1_000_000))
    .option("--record <json>", "a mended record for the one letter named")
    .option("--dry-run", "only count, by collection and code")
    .addHelpText(
      "after",
      '\nExample:\n  $ medley dead-letters replay --where \'{"code": "encoder_failed", "createdAt": {"gte": "2026-11-01"}}\' --rate 50',
    )
    .action((ids, options) =>
      run("dead-letters replay", (context) => replayDeadLetters(context, { ids, ...options })),
    );
}

export async function main(args: readonly string[]): Promise<ExitCode> {
  const signal = interruption(() =>
    process.stderr.write("stopping: finishing what is in hand (again to stop at once)\n"),
  );
  let exitCode: ExitCode = 0;
  const medley = program(async (name, action) => {
    const global = medley.opts<GlobalOptions>();
    const context: Context = { directory: process.cwd(), environment: process.env, signal, global };
    try {
      await using _tracing = await startTracing({
        role: name === "up" ? "up" : "command",
        environment: process.env,
        onFault: (message) => logFault({ part: "tracing", message }),
      });
      exitCode = printOutcome(name, await action(context), global.json ?? false);
    } catch (error) {
      exitCode = printError(name, error, global.json ?? false);
    }
  });
  const json = args.includes("--json");
  for (const command of [medley, ...medley.commands, ...medley.commands.flatMap((c) => c.commands)]) {
    command.exitOverride();
    if (json) command.configureOutput({ writeErr: () => {} });
  }
  try {
    await medley.parseAsync(args, { from: "user" });
  } catch (error) {
    // Commander has printed what is wrong; help and version are no errors.
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    if (json) printError("medley", new MedleyError("usage", error.message), json);
    return 2;
  }
  return exitCode;
}

process.exitCode = await main(process.argv.slice(2));
// Worker threads and pools are closed by now; what may be left (an idle keep-alive socket) is no reason to stay.
process.stdout.write("", () => process.exit());
