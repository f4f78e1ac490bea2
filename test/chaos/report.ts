import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ChaosResult } from "./chaos-run.ts";
import type { OverloadResult } from "./load/overload.ts";
import type { SoakResult } from "./load/soak.ts";

const violationsShownMax = 20;
const page = join(import.meta.dirname, "../../docs/CHAOS.md");
const marks = ["<!-- last result, written by npm run chaos -->\n", "<!-- end of last result -->"] as const;

export function chaosLines(result: ChaosResult): readonly string[] {
  const { seed, lanes, operations, outcomes, faults, backfills, violations } = result;
  const { accepted, indexed, superseded, supersededByDeadLetter, tombstoned, deadLetters, rejected } =
    outcomes;
  return [
    `seed ${seed}, lanes ${lanes}: ${operations} operations, ${accepted} accepted, ${rejected} rejected`,
    `  ${indexed} indexed, ${superseded + supersededByDeadLetter} superseded (${supersededByDeadLetter} by a dead letter), ` +
      `${tombstoned} tombstoned, ${deadLetters} dead letters`,
    `  ${total(faults)} faults: ${pairs(faults)}`,
    `  producers answered ${pairs(result.answers)}; ${backfills.runs} backfills, resumed ${backfills.resumes} times`,
    `  services that ended by themselves: ${pairs(positive(result.endings)) || "none"}`,
    `  ${result.seconds.toFixed(0)} s, drained ${result.drainedSeconds.toFixed(1)} s after the last fault`,
    ...verdictLines(violations),
    ...(violations.length > 0 ? [`  logs and journal are kept in ${result.folder}`] : []),
  ];
}

export function overloadLines(result: OverloadResult): readonly string[] {
  const { load } = result;
  return [
    `sustained ${result.sustainablePerSecond.toFixed(0)} operations/s, offered ${result.offeredPerSecond.toFixed(0)}/s`,
    `  batches: ${load.offered} offered, ${load.answered} accepted, ${load.givenUp} still refused at the end, ` +
      `${load.heldBack} never sent, since too many waited for an answer`,
    `  producers answered ${pairs(result.answers)}`,
    `  peak memory in MB: ${pairs(result.peakMegabytes)}`,
    `  ${result.accepted} operations accepted, drained ${result.drainedSeconds.toFixed(1)} s after the load`,
    ...verdictLines(result.violations),
  ];
}

export function soakLines(result: SoakResult): readonly string[] {
  return [
    `${result.minutes} minutes at 80 % of ${result.sustainablePerSecond.toFixed(0)} operations/s, ${result.accepted} accepted`,
    ...Object.entries(result.services).map(
      ([name, trend]) =>
        `  ${name}: ${trend.rssMegabytes} MB, ${trend.megabytesPerMinute.toFixed(2)} MB/min, open files ` +
        `${trend.openFilesFirst} -> ${trend.openFilesLast}`,
    ),
    `  lag: at most ${result.lagMax}, ${result.lagPerMinute.toFixed(0)} a minute`,
    ...verdictLines(result.violations),
  ];
}

function verdictLines(violations: readonly string[]): string[] {
  if (violations.length === 0) return ["  all promises hold"];
  const more = violations.length - violationsShownMax;
  return [
    `  BROKEN ${violations.length} times:`,
    ...violations.slice(0, violationsShownMax).map((violation) => `    ${violation}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ];
}

/** Into the page, between its marks. */
export function writeLastResult(results: readonly ChaosResult[]): void {
  const text = readFileSync(page, "utf8");
  const [before, rest] = text.split(marks[0]) as [string, string];
  const after = rest.slice(rest.indexOf(marks[1]));
  writeFileSync(page, `${before}${marks[0]}${tableOf(results)}${after}`);
}

function tableOf(results: readonly ChaosResult[]): string {
  const lanes = results[0]?.lanes;
  const rows = results.map(({ seed, operations, outcomes, faults, seconds, drainedSeconds, violations }) => {
    const { accepted, indexed, superseded, supersededByDeadLetter, tombstoned, deadLetters } = outcomes;
    const numbers = [seed, operations, accepted, indexed, superseded + supersededByDeadLetter, tombstoned];
    const rest = [
      deadLetters,
      total(faults),
      seconds.toFixed(0),
      drainedSeconds.toFixed(1),
      violations.length,
    ];
    return `| ${[...numbers, ...rest].join(" | ")} |`;
  });
  const day = new Date().toISOString().slice(0, 10);
  return `
${day}, lanes ${lanes}, ${availableParallelism()} cores:

| seed | operations | accepted | indexed | superseded | tombstoned | dead letters | faults | seconds | drained after, s | broken |
|---|---|---|---|---|---|---|---|---|---|---|
${rows.join("\n")}

`;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function positive(counts: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function pairs(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}
