/**
 * `npm run bench -- GROUP`: runs the benchmarks of a group (a folder here), of one file (GROUP/NAME), or all, one after the
 * other, and prints a table; with `--json` one array of `{name, value, goal, met, detail}`. `--write` also writes what was
 * measured into docs/BENCHMARKS.md, where the other rows stay. Exits with 1 where a benchmark broke, with 2 for one there is not.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import type { Measurement } from "./measurement.ts";
import { closeServers } from "./servers.ts";

const here = import.meta.dirname;
const page = join(here, "../../docs/BENCHMARKS.md");
/** Programs that benchmarks start. */
const notAGroup = "rivals";
const groups = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== notAGroup)
  .map(({ name }) => name);

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
  });
  const known = groups.flatMap(benchmarksOf);
  const isAsked = (name: string) => positionals.includes(name) || positionals.includes(dirname(name));
  const unknown = positionals.filter((name) => !groups.includes(name) && !known.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(
      `there is no ${unknown.join(", ")}; there are: ${[...groups, ...known].join(", ")}\n`,
    );
    return 2;
  }
  const asked = positionals.length > 0 ? known.filter(isAsked) : known;
  const { measurements, broken } = await runAll(asked).finally(closeServers);
  process.stdout.write(values.json ? `${JSON.stringify(measurements)}\n` : `${tableOf(measurements)}\n`);
  if (values.write) writeFileSync(page, pageOf(measurements));
  return broken ? 1 : 0;
}

function benchmarksOf(group: string): string[] {
  const files = readdirSync(join(here, group)).filter((name) => name.endsWith(".ts"));
  return files.map((file) => `${group}/${file.slice(0, -".ts".length)}`);
}

async function runAll(
  asked: readonly string[],
): Promise<{ measurements: readonly Measurement[]; broken: boolean }> {
  const measurements: Measurement[] = [];
  let broken = false;
  for (const name of asked) {
    process.stderr.write(`${name} ...\n`);
    try {
      const { run }: { run: () => Promise<Measurement[]> } = await import(`./${name}.ts`);
      measurements.push(...(await run()));
    } catch (error) {
      broken = true;
      const detail = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
      measurements.push({ name, value: null, goal: "that it runs", met: false, detail });
    }
  }
  return { measurements, broken };
}

function tableOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map((one) => [one.name, figureOf(one), one.goal, verdictOf(one)]);
  const head = ["what", "value", "goal", "met"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const lineOf = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join("  ")
      .trimEnd();
  const details = measurements.flatMap(({ name, detail }) => ["", name, `  ${detail}`]);
  return [lineOf(head), ...rows.map(lineOf), ...details].join("\n");
}

/** Rows of what was measured now take the place of those of the same name; the others stay as they are. */
function pageOf(measurements: readonly Measurement[]): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: here,
    encoding: "utf8",
  }).trim();
  const [cpu] = cpus();
  const at = `${new Date().toISOString().slice(0, 10)}, ${commit}, ${cpu?.model.trim()}`;
  const rows = new Map(
    readFileSync(page, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("| ") && !line.startsWith("| what "))
      .map((line) => [line.slice(2, line.indexOf(" |")), line]),
  );
  for (const one of measurements) {
    const cells = [one.name, figureOf(one), one.goal, verdictOf(one), at, one.detail];
    const row = cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ");
    rows.set(one.name, `| ${row} |`);
  }
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `# Benchmarks

Written by \`npm run bench -- --write\` on ${cpus().length} cores, ${memory} of memory, ${process.platform}, Node ${process.versions.node}. Every row says when it was
measured, at which commit and on which processor.

| what | value | goal | met | measured at | how |
|---|---|---|---|---|---|
${[...rows.values()].join("\n")}
`;
}

function figureOf({ value }: Measurement): string {
  if (value === null) return "-";
  return value >= 100 ? value.toFixed(0) : value.toPrecision(4);
}

function verdictOf({ met }: Measurement): string {
  if (met === null) return "not measured";
  return met ? "yes" : "no";
}
