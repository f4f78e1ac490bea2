import { settledOf } from "@medley/pipeline";
import type { Trend } from "../watch/trend.ts";
import { table } from "./output.ts";
import { barOf, count, duration } from "./progress.ts";
import { ageText, seconds } from "./status.ts";

const rate = (perSecond: number | null) =>
  perSecond === null ? "-" : perSecond < 10 ? perSecond.toFixed(1) : count(Math.round(perSecond));
const signed = (perSecond: number | null) =>
  perSecond === null ? "-" : `${perSecond > 0 ? "+" : ""}${rate(perSecond)}`;

/** The whole screen: a block per thing that is watched, those left out that have nothing to say. */
export function screenOf(trend: Trend): string {
  const blocks = [
    `medley top  ${trend.at.slice(11, 19)}Z  q quits`,
    ...trend.faults.map(({ part, code }) => `! ${part}: ${code}`),
    table(
      ["lane", "channel", "waiting", "in flight", "counted in", "oldest", "growth/s"],
      trend.lanes.map((one) => [
        ...[one.lane, one.channel, one.waiting, one.inFlight, one.unit],
        ...[ageText(one.oldestAgeMs), signed(one.growthPerSecond)],
      ]),
    ),
    table(
      ["collection", "rows (about)", "writes/s", "backfill to do", "dead letters"],
      trend.collections.map((one) => [
        ...[one.collection, one.rowsEstimated, rate(one.writesPerSecond)],
        ...[one.backfillRecordsUnsettled, one.deadLettersOpen],
      ]),
    ),
    ...(trend.services.length === 0 ? [] : [servicesTable(trend)]),
    ...(trend.deadLetters.length === 0
      ? []
      : [`dead letters: ${trend.deadLetters.map((one) => `${one.code} ${one.deadLetters}`).join(", ")}`]),
    trend.runs.map(runLine).join("\n"),
  ];
  return blocks.filter((block) => block !== "").join("\n\n");
}

function servicesTable({ services }: Trend): string {
  return table(
    ["service", "role", "produced/s", "embedded/s", "indexed/s", "fresh p50", "fresh p95"],
    services.map(({ url, role, recordsPerSecond: { produce, embed, index }, freshnessSeconds }) => [
      ...[new URL(url).host, role ?? "away", rate(produce), rate(embed), rate(index)],
      ...[seconds(freshnessSeconds.p50), seconds(freshnessSeconds.p95)],
    ]),
  );
}

function runLine(run: Trend["runs"][number]): string {
  const settled = settledOf(run);
  const bar = barOf(run.recordsRead === 0 ? 0 : settled / run.recordsRead);
  const parts = [`${run.runId}  ${run.collection}  ${bar}  ${count(settled)}/${count(run.recordsRead)} read`];
  if (run.state === "done") parts.push("done");
  else parts.push(`${rate(run.recordsPerSecond)} records/s`);
  if (run.secondsLeft !== null) parts.push(`${duration(run.secondsLeft)} left of what was read`);
  return parts.join("  ");
}

/** One line, for logs and pipes. */
export function lineOf(trend: Trend): string {
  const parts = [
    trend.at,
    ...trend.faults.map(({ part, code }) => `${part}=${code}`),
    ...trend.lanes.map(
      ({ lane, channel, waiting, inFlight, oldestAgeMs }) =>
        `${lane}/${channel}=${waiting}+${inFlight} oldest ${ageText(oldestAgeMs)}`,
    ),
    ...trend.collections.map(
      ({ collection, writesPerSecond, deadLettersOpen }) =>
        `${collection}: ${rate(writesPerSecond)} writes/s, ${deadLettersOpen} dead letters`,
    ),
    ...trend.services.map(
      ({ url, role, recordsPerSecond: { produce, embed, index } }) =>
        `${new URL(url).host} ${role ?? "away"}: ${[produce, embed, index].map(rate).join("/")} records/s`,
    ),
  ];
  return parts.join("  ");
}
