/**
 * `npm run bench -- GROUP`: runs the benchmarks of a group (a folder here), or of all, one after the other, and prints a
 * table; with `--json` one array of `{name, value, goal, met, detail}`. `--write` also writes docs/BENCHMARKS.md.
 * Exits with 1 where a benchmark broke, with 2 for a group there is not.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import type { Measurement } from "./measurement.ts";

const here = import.meta.dirname;
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
  const unknown = positionals.filter((name) => !groups.includes(name));
  if (unknown.length > 0) {
    process.stderr.write(`there is no group ${unknown.join(", ")}; there are: ${groups.join(", ")}\n`);
    return 2;
  }
  const asked = positionals.length > 0 ? groups.filter((name) => positionals.includes(name)) : groups;
  const { measurements, broken } = await runGroups(asked);
  process.stdout.write(values.json ? `${JSON.stringify(measurements)}\n` : `${tableOf(measurements)}\n`);
  if (values.write) writeFileSync(join(here, "../../docs/BENCHMARKS.md"), pageOf(measurements));
  return broken ? 1 : 0;
}

async function runGroups(
  asked: readonly string[],
): Promise<{ measurements: readonly Measurement[]; broken: boolean }> {
  const measurements: Measurement[] = [];
  let broken = false;
  for (const group of asked) {
    for (const file of readdirSync(join(here, group)).filter((name) => name.endsWith(".ts"))) {
      const name = `${group}/${file.slice(0, -".ts".length)}`;
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

function pageOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map(
    (one) =>
      `| ${[one.name, figureOf(one), one.goal, verdictOf(one), one.detail].map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`,
  );
  const [cpu] = cpus();
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: here,
    encoding: "utf8",
  }).trim();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `# Benchmarks

Written by \`npm run bench -- --write\` on ${new Date().toISOString().slice(0, 10)} at commit ${commit}, on ${cpus().length} cores
(${cpu?.model.trim()}), ${memory} of memory, ${process.platform}, Node ${process.versions.node}.

| what | value | goal | met | how |
|---|---|---|---|---|
${rows.join("\n")}
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
